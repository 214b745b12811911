import type { Kysely } from 'kysely'
import { dataSourcePasswordContext, routeOf } from '../../access/data-source-password.ts'
import { type InstanceId, newUuid } from '../../base/ids.ts'
import type { Secret } from '../../base/secret.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { seal } from '../../crypto/seal.ts'
import type { RunningPostgres } from '../../postgres-server/start-local-postgres.ts'
import {
  type DataSourceRow,
  findAdminDataSource,
  insertDataSource,
  updateDataSource,
} from '../../store/data-sources.ts'
import type { Schema } from '../../store/schema.ts'
import { ADMIN_ROLE, DEFAULT_DATABASE } from './managed-roles.ts'

/** Whether the instance's admin data source leads to this server with a password. */
export async function hasAdminDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  server: RunningPostgres,
): Promise<boolean> {
  const source = await findAdminDataSource(db, instanceId)
  return source?.host === server.socketFolder && source.passwordSealed !== null
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
  const source: DataSourceRow = {
    id: existing?.id ?? newUuid(),
    instanceId,
    type: 'admin',
    host: server.socketFolder,
    port: server.port,
    database: DEFAULT_DATABASE,
    username: ADMIN_ROLE,
    loginMethod: 'password',
    // The socket lies in a folder that only Postern's own users can enter.
    tlsMode: 'disable',
    tlsCa: null,
    passwordSealed: null,
  }
  const passwordSealed = seal(masterKey, password, dataSourcePasswordContext(source.id, routeOf(source)))
  await (existing ? updateDataSource : insertDataSource)(db, { ...source, passwordSealed })
}
