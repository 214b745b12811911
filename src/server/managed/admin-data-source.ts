import type { Kysely } from 'kysely'
import { routeOf, sealDataSourceSecrets } from '../../access/data-source-secrets.ts'
import { type DataSourceId, type InstanceId, newUuid } from '../../base/ids.ts'
import type { Secret } from '../../base/secret.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { PLAIN_ROUTE } from '../../dialer/data-source-route.ts'
import type { RunningPostgres } from '../../postgres-server/start-local-postgres.ts'
import { replaceDataSourceSecrets } from '../../store/data-source-secrets.ts'
import { findAdminDataSource, insertDataSource, updateDataSource } from '../../store/data-sources.ts'
import type { Schema } from '../../store/schema.ts'
import { ADMIN_ROLE, DEFAULT_DATABASE } from './managed-roles.ts'

/** Whether the instance's admin data source leads to this server with a password. */
export async function hasAdminDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  server: RunningPostgres,
): Promise<boolean> {
  const source = await findAdminDataSource(db, instanceId)
  return source?.host === server.socketFolder && source.sealedSecrets.password !== undefined
}

/** Points the admin data source of a managed instance at this server, with the password that its user was just given. */
export async function writeAdminDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  server: RunningPostgres,
  password: Secret,
  masterKey: MasterKey,
): Promise<void> {
  const existing = await findAdminDataSource(db, instanceId)
  const source = {
    ...PLAIN_ROUTE,
    engine: 'postgres' as const,
    id: existing?.id ?? newUuid<DataSourceId>(),
    instanceId,
    name: 'admin',
    type: 'admin' as const,
    title: '',
    host: server.socketFolder,
    port: server.port,
    database: DEFAULT_DATABASE,
    username: ADMIN_ROLE,
    loginMethod: 'password' as const,
    // The socket lies in a folder that only Postern's own users can enter.
    tlsMode: 'disable' as const,
    tested: true,
    weight: 1,
  }
  await (existing ? updateDataSource : insertDataSource)(db, source)
  await replaceDataSourceSecrets(
    db,
    source.id,
    sealDataSourceSecrets(masterKey, source.id, routeOf(source), { password }),
  )
}
