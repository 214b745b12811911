import { sql, type Kysely, type Selectable } from 'kysely'
import type { DataSourceId, InstanceId } from '../base/ids.ts'
import type { DataSourceTable, Schema } from './schema.ts'

/** One way to reach an instance. `passwordSealed` opens only for the destination that the other fields describe. */
export interface DataSourceRow {
  readonly id: DataSourceId
  readonly instanceId: InstanceId
  readonly type: 'admin' | 'read_only'
  /** Host name, IP address, or folder of a Unix socket (managed instances). */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly loginMethod: 'password'
  readonly tlsMode: 'disable' | 'require' | 'verify-ca' | 'verify-full'
  readonly tlsCa: string | null
  readonly passwordSealed: Buffer | null
}

export async function insertDataSource(db: Kysely<Schema>, source: DataSourceRow): Promise<void> {
  await db
    .insertInto('data_source')
    .values({ id: source.id, instance_id: source.instanceId, type: source.type, ...changeableColumns(source) })
    .execute()
}

/** Replaces every changeable field of a data source. */
export async function updateDataSource(db: Kysely<Schema>, source: DataSourceRow): Promise<void> {
  await db
    .updateTable('data_source')
    .set({ ...changeableColumns(source), updated_at: sql`now()` })
    .where('id', '=', source.id)
    .execute()
}

/** The data source that Postern itself works with; managed instances have one from their first start on. */
export async function findAdminDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
): Promise<DataSourceRow | undefined> {
  const row = await db
    .selectFrom('data_source')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('type', '=', 'admin')
    .executeTakeFirst()
  return row && dataSourceFromRow(row)
}

/** Data sources of these instances, admin first. */
export async function listDataSources(
  db: Kysely<Schema>,
  instanceIds: readonly InstanceId[],
): Promise<DataSourceRow[]> {
  if (instanceIds.length === 0) return []
  const rows = await db
    .selectFrom('data_source')
    .selectAll()
    .where('instance_id', 'in', instanceIds)
    .orderBy('type')
    .orderBy('created_at')
    .execute()
  return rows.map(dataSourceFromRow)
}

function changeableColumns(source: DataSourceRow) {
  return {
    host: source.host,
    port: source.port,
    database: source.database,
    username: source.username,
    login_method: source.loginMethod,
    tls_mode: source.tlsMode,
    tls_ca: source.tlsCa,
    password_sealed: source.passwordSealed,
  }
}

function dataSourceFromRow(row: Selectable<DataSourceTable>): DataSourceRow {
  return {
    id: row.id,
    instanceId: row.instance_id,
    type: row.type,
    host: row.host,
    port: row.port,
    database: row.database,
    username: row.username,
    loginMethod: row.login_method,
    tlsMode: row.tls_mode,
    tlsCa: row.tls_ca,
    passwordSealed: row.password_sealed,
  }
}
