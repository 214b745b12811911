import { openDataSourceSecrets, routeOf, sealDataSourceSecrets } from '../access/data-source-secrets.ts'
import { requireInstance } from '../access/find-instance.ts'
import { authorize } from '../access/policy.ts'
import { moveLoginKeys } from '../access/move-login-keys.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourcePatch, UpdateInstanceInput } from '../contract/instances.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'
import type { Actor } from '../identity/actor.ts'
import { replaceDataSourceSecrets } from '../store/data-source-secrets.ts'
import { findAdminDataSource, updateDataSource, type DataSourceRow } from '../store/data-sources.ts'
import { changeInstance, findInstance, type InstanceChange, type InstanceRow } from '../store/instances.ts'
import { checkExternalHost } from './external-host.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { getInstance, type InstanceView } from './read-instances.ts'
import { testConnection } from './test-connection.ts'
import type { Kysely } from 'kysely'
import type { Schema } from '../store/schema.ts'

/**
 * Changes an instance. A data source that leads elsewhere than before, or with weaker TLS, needs its password again: the
 * stored one is never sent there, not even to test it. Every change of a data source is tested before it is stored.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | ETAG_MISMATCH | SECRET_REQUIRED | INVALID_ARGUMENT | UPSTREAM_*
 */
export async function updateInstance(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  input: UpdateInstanceInput,
): Promise<InstanceView> {
  authorize(actor, 'instance.update')
  const instance = await requireInstance(deps, actor.workspaceId, name)
  if (input.etag !== undefined && input.etag !== instance.version) throw changedMeanwhile(name)
  if (instance.state === 'DELETING')
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${name}' is being deleted`)
  const change: InstanceChange =
    input.nativeLoginEnabled === undefined ? {} : { nativeLoginEnabled: input.nativeLoginEnabled }
  if (input.adminDataSource === undefined) {
    await storeChange(deps, actor, instance, change, { nativeLoginEnabled: input.nativeLoginEnabled ?? null })
  } else {
    await updateAdminDataSource(deps, actor, instance, change, input.adminDataSource)
  }
  return getInstance(deps, actor, name)
}

async function updateAdminDataSource(
  deps: InstanceDependencies,
  actor: Actor,
  instance: InstanceRow,
  change: InstanceChange,
  patch: DataSourcePatch,
): Promise<void> {
  const source = await findAdminDataSource(deps.store.db, instance.id)
  if (instance.kind === 'managed' || source === undefined) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'adminDataSource: the data source of a managed instance is not changed by hand',
    )
  }
  const before = routeOf(source)
  const route = patchedRoute(before, patch)
  const hasMoved = destinationFingerprint(route) !== destinationFingerprint(before)
  const password = await passwordFor(deps, source, patch, hasMoved)
  const test = await testConnection(deps, route, password)
  if ('failure' in test) throw test.failure
  const { serverVersion, systemIdentifier } = test.upstream
  const requiredIdentifier = systemIdentifier ?? ''
  const isOtherCluster = systemIdentifier !== instance.systemIdentifier
  // Only a person who enters the password again vouches for another cluster at the same address.
  if (isOtherCluster && instance.systemIdentifier !== null && patch.password === undefined) {
    throw new PosternError(
      'SECRET_REQUIRED',
      'Another database cluster answers there than before; enter the password again to accept it',
    )
  }
  const secrets = sealDataSourceSecrets(deps.masterKey, source.id, route, { password })
  const detail = {
    host: route.host,
    port: route.port,
    username: route.username,
    database: route.database,
    tlsMode: route.tlsMode,
    passwordChanged: patch.password !== undefined,
    otherCluster: isOtherCluster,
  }
  const store = (alsoStore?: (db: Kysely<Schema>) => Promise<void>) =>
    storeChange(
      deps,
      actor,
      instance,
      { ...change, serverVersion, systemIdentifier, defaultDatabase: route.database },
      detail,
      async (db) => {
        await updateDataSource(db, { ...source, ...route, tested: true })
        await replaceDataSourceSecrets(db, source.id, secrets)
        await alsoStore?.(db)
      },
    )
  if (hasMoved && !isOtherCluster)
    await moveLoginKeys(deps, instance, { route, secrets: { password }, systemIdentifier: requiredIdentifier }, store)
  else await store()
}

function patchedRoute(before: DataSourceRoute, patch: DataSourcePatch): DataSourceRoute {
  const { host, port, database, username, tlsMode, tlsCa } = patch
  if (host !== undefined) checkExternalHost(host)
  return {
    ...before,
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(database !== undefined && { database }),
    ...(username !== undefined && { username }),
    ...(tlsMode !== undefined && { tlsMode }),
    ...(tlsCa !== undefined && { tlsCa }),
  }
}

async function passwordFor(
  deps: InstanceDependencies,
  source: DataSourceRow,
  patch: DataSourcePatch,
  hasMoved: boolean,
): Promise<Secret> {
  if (patch.password !== undefined) return new Secret(patch.password)
  if (hasMoved || source.sealedSecrets.password === undefined) {
    throw new PosternError(
      'SECRET_REQUIRED',
      'The data source leads to another place, user or TLS setting than before: enter its password again',
    )
  }
  return (await openDataSourceSecrets(deps, source)).password!
}

async function storeChange(
  deps: InstanceDependencies,
  actor: Actor,
  instance: InstanceRow,
  change: InstanceChange,
  detail: Parameters<typeof instanceAudit>[3],
  alsoStore?: (db: Kysely<Schema>) => Promise<void>,
): Promise<void> {
  await deps.store.db.transaction().execute(async (db) => {
    const current = await findInstance(db, instance.workspaceId, instance.name, { forUpdate: true })
    if (current?.version !== instance.version) throw changedMeanwhile(instance.name)
    await changeInstance(db, instance.id, change)
    await alsoStore?.(db)
    await recordAudit(db, instanceAudit(actor, 'instance.update', instance, detail))
  })
}

function changedMeanwhile(name: string): PosternError {
  return new PosternError('ETAG_MISMATCH', `Instance '${name}' was changed meanwhile`)
}
