import { openDataSourceSecrets, routeOf } from '../access/data-source-secrets.ts'
import { requireInstance } from '../access/find-instance.ts'
import { authorize } from '../access/policy.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import { newUuid, type InstanceId } from '../base/ids.ts'
import type { ConnectionReport, TestConnectionInput } from '../contract/connection-reports.ts'
import type { DataSourcePatch } from '../contract/data-sources.ts'
import type { Actor } from '../identity/actor.ts'
import {
  listDataSources,
  markDataSourceTested,
  recordDataSourceCheck,
  type DataSourceRow,
} from '../store/data-sources.ts'
import { changeInstance, findInstance, type InstanceRow } from '../store/instances.ts'
import { pick } from './change-data-sources.ts'
import { draftDataSource } from './draft-data-source.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { manageModeOf } from './instance-settings.ts'
import { testConnection, type ConnectionTest, type TestOptions } from './test-connection.ts'
import { testDrafts } from './test-drafts.ts'

/** Tests what was entered and is not stored: "Click Test Connection". @throws PosternError PERMISSION_DENIED | INVALID_ARGUMENT */
export async function testUnsaved(
  deps: InstanceDependencies,
  actor: Actor,
  { engine, type, manageMode, dataSource }: TestConnectionInput,
  options: TestOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'instance.test')
  const name = type === 'admin' ? 'admin' : 'read-only-1'
  const base = { engine, instanceId: newUuid<InstanceId>(), name, type }
  const draft = await draftDataSource(deps, actor.workspaceId, base, dataSource)
  return (await testDrafts(deps, actor, [draft], { ...options, manageMode: manageModeOf(engine, manageMode) })).report
}

/**
 * Tests a stored data source: as it is, or as it would be after a change. A good test of it as it is ends its being untested,
 * and is noted as a check of its health.
 *
 * @param nameOrId of the data source; `admin` for the admin one
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND | INSTANCE_NOT_AVAILABLE | SECRET_REQUIRED |
 *   INVALID_ARGUMENT | CANCELLED
 */
export async function testStored(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  nameOrId: string,
  patch: DataSourcePatch | undefined,
  options: TestOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'instance.test')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  if (instance.state !== 'AVAILABLE') {
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${instanceName}' is ${instance.state}, not AVAILABLE`)
  }
  const source = pick(await listDataSources(deps.store.db, [instance.id]), instance, nameOrId)
  const known = { cluster: instance.systemIdentifier, manageMode: instance.manageMode }
  if (patch !== undefined && Object.keys(patch).length > 0) {
    if (instance.kind === 'managed') {
      throw new PosternError('INVALID_ARGUMENT', 'The data source of a managed instance is not changed by hand')
    }
    const draft = await draftDataSource(deps, actor.workspaceId, { before: source }, patch)
    return (await testDrafts(deps, actor, [draft], { ...options, ...known })).report
  }
  const subject = {
    name: source.name,
    route: routeOf(source),
    purpose: source.type,
    manageMode: instance.manageMode,
    openSecrets: () => openDataSourceSecrets(deps, source),
  }
  const test = await testConnection(deps, subject, options).catch(async (thrown: unknown) => {
    // Given up: by then the database may have seen the secret.
    const { code } = asPosternError(thrown)
    const entry = instanceAudit(actor, 'instance.test', instance, { dataSource: source.name })
    await recordAudit(deps.store.db, { ...entry, outcome: 'failed', reason: code })
    throw thrown
  })
  await noteTest(deps, actor, instance, source, test)
  return test.report
}

/** Writes what the test found, unless the instance was changed while it ran: then it says nothing about what is stored now. */
async function noteTest(
  deps: InstanceDependencies,
  actor: Actor,
  instance: InstanceRow,
  source: DataSourceRow,
  test: ConnectionTest,
): Promise<void> {
  const failure = 'failure' in test ? test.failure : undefined
  await deps.store.db.transaction().execute(async (db) => {
    const detail = { dataSource: source.name }
    await recordAudit(db, {
      ...instanceAudit(actor, 'instance.test', instance, detail),
      ...(failure && { outcome: 'failed', reason: failure.code }),
    })
    const current = await findInstance(db, instance.workspaceId, instance.name, { forUpdate: true })
    if (current?.version !== instance.version) return
    if (failure === undefined) await markDataSourceTested(db, source.id)
    if ('upstream' in test && source.type === 'admin' && instance.systemIdentifier === null) {
      const { serverVersion, systemIdentifier } = test.upstream
      // Stored without a test: only now is it known what is there.
      await changeInstance(db, instance.id, { serverVersion, systemIdentifier })
    }
    await recordDataSourceCheck(db, source.id, {
      checkedAt: deps.clock.now(),
      ok: failure === undefined,
      code: failure?.code ?? null,
      lagSeconds: 'upstream' in test ? test.upstream.replicaLagSeconds : null,
    })
  })
}
