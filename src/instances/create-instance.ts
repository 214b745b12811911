import { sealDataSourceSecrets } from '../access/data-source-secrets.ts'
import { authorize } from '../access/policy.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { newUuid, type DataSourceId, type InstanceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { ConnectionReport, CreateInstanceInput, DataSourceInput } from '../contract/instances.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { Actor } from '../identity/actor.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { replaceDataSourceSecrets } from '../store/data-source-secrets.ts'
import { insertDataSource } from '../store/data-sources.ts'
import { insertInstance } from '../store/instances.ts'
import { insertManagedInstance } from '../store/managed-instances.ts'
import { checkExternalHost } from './external-host.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { getInstance, type InstanceView } from './read-instances.ts'
import { testConnection } from './test-connection.ts'

type ExternalInput = Extract<CreateInstanceInput, { kind: 'external' }>
type ManagedInput = Extract<CreateInstanceInput, { kind: 'managed' }>

/** Database that a managed instance begins with, and the alias for the data source's own database on external ones. */
const MANAGED_DEFAULT_DATABASE = 'databricks_postgres'

/**
 * "Click Test Connection. If the connection is successful, click Create to create this instance." An external instance is
 * tested first and refused when the test fails; a managed one is asked of the local node and is STARTING until it runs and
 * its creator has a Postgres role there.
 *
 * @throws PosternError PERMISSION_DENIED | INVALID_ARGUMENT | ALREADY_EXISTS | UPSTREAM_* (what the test found)
 */
export async function createInstance(
  deps: InstanceDependencies,
  actor: Actor,
  input: CreateInstanceInput,
): Promise<InstanceView> {
  authorize(actor, 'instance.create')
  if (input.kind === 'external') await createExternal(deps, actor, input)
  else await createManaged(deps, actor, input)
  return getInstance(deps, actor, input.name)
}

/** The "Test Connection" button: what would be created is tested and nothing is stored. A managed instance has nothing to test. */
export async function validateInstance(
  deps: InstanceDependencies,
  actor: Actor,
  input: CreateInstanceInput,
): Promise<ConnectionReport> {
  authorize(actor, 'instance.create')
  if (input.kind === 'managed') return { ok: true, stages: [], missingPrivileges: [] }
  const route = routeOfInput(input.adminDataSource)
  return (await testConnection(deps, route, new Secret(input.adminDataSource.password))).report
}

async function createExternal(deps: InstanceDependencies, actor: Actor, input: ExternalInput): Promise<void> {
  const route = routeOfInput(input.adminDataSource)
  const password = new Secret(input.adminDataSource.password)
  const test = await testConnection(deps, route, password)
  if ('failure' in test) throw test.failure
  const { systemIdentifier, serverVersion } = test.upstream
  const id = newUuid<InstanceId>()
  const sourceId = newUuid<DataSourceId>()
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await insertInstance(db, {
        ...ofActor(actor, id, input.name),
        kind: 'external',
        engine: 'postgres',
        state: 'AVAILABLE',
        defaultDatabase: route.database,
        serverVersion,
        systemIdentifier,
      })
      await insertDataSource(db, {
        id: sourceId,
        instanceId: id,
        name: 'admin',
        type: 'admin',
        title: '',
        tested: true,
        ...route,
      })
      await replaceDataSourceSecrets(db, sourceId, sealDataSourceSecrets(deps.masterKey, sourceId, route, { password }))
      const detail = {
        kind: 'external',
        host: route.host,
        port: route.port,
        username: route.username,
        tlsMode: route.tlsMode,
      }
      await recordAudit(db, instanceAudit(actor, 'instance.create', { id, name: input.name }, detail))
    }),
  )
}

async function createManaged(deps: InstanceDependencies, actor: Actor, input: ManagedInput): Promise<void> {
  const id = newUuid<InstanceId>()
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await insertInstance(db, {
        ...ofActor(actor, id, input.name),
        kind: 'managed',
        engine: input.engine,
        state: 'STARTING',
        defaultDatabase: MANAGED_DEFAULT_DATABASE,
      })
      await insertManagedInstance(db, id, deps.localNodeId)
      await recordAudit(db, instanceAudit(actor, 'instance.create', { id, name: input.name }, { kind: 'managed' }))
    }),
  )
}

function ofActor(actor: Actor, id: InstanceId, name: string) {
  return { id, name, workspaceId: actor.workspaceId, creatorId: actor.principalId }
}

function routeOfInput(input: DataSourceInput): DataSourceRoute {
  checkExternalHost(input.host)
  const { host, port, database, username, tlsMode, tlsCa } = input
  return {
    ...PLAIN_ROUTE,
    engine: 'postgres',
    host,
    port,
    database,
    username,
    loginMethod: 'password',
    tlsMode,
    tlsCa: tlsCa ?? null,
  }
}
