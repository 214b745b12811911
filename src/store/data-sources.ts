import { sql, type Kysely } from 'kysely'
import type { DataSourceId, InstanceId } from '../base/ids.ts'
import type { EngineField, EngineName, LoginMethod } from '../contract/engines.ts'
import type { TlsMode } from '../contract/tls-mode.ts'
import type { TlsFiles } from '../dialer/data-source-route.ts'
import type { PublicReferences } from '../dialer/data-source-secrets.ts'
import { type SealedSecrets, sealedSecretsFromJson } from './data-source-secrets.ts'
import type { Schema, StoredSshHop } from './schema.ts'

/** One way to reach an instance. `sealedSecrets` open only for the destination that the other fields describe. */
export interface DataSourceRow {
  readonly id: DataSourceId
  readonly instanceId: InstanceId
  /** Engine of its instance. */
  readonly engine: EngineName
  /** Handle of the data source, unique in its instance; `admin` for the admin data source. */
  readonly name: string
  readonly type: 'admin' | 'read_only'
  readonly title: string
  /** Host name, IP address, or folder of a Unix socket (managed instances). */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly loginMethod: LoginMethod
  readonly tlsMode: TlsMode
  readonly tlsCa: string | null
  readonly tlsClientCertificate: string | null
  readonly tlsFiles: TlsFiles
  readonly ssh: readonly StoredSshHop[]
  readonly fields: Readonly<Partial<Record<EngineField, string>>>
  readonly extraParameters: Readonly<Record<string, string>>
  readonly secretReferences: PublicReferences
  /** False: stored without a good connection test, and none was good since. */
  readonly tested: boolean
  readonly weight: number
  /** What the last check of its health found; null: none yet. */
  readonly lastCheck: DataSourceCheck | null
  readonly sealedSecrets: SealedSecrets
}

/** What a check of a data source's health found. */
export interface DataSourceCheck {
  readonly checkedAt: Date
  readonly ok: boolean
  /** Code of the failure; null when it was good. */
  readonly code: string | null
  /** Seconds that a replica is behind; null on a primary or where it cannot be told. */
  readonly lagSeconds: number | null
}

/** What is written of a data source. Its secrets are written by replaceDataSourceSecrets, in the same transaction. */
export type NewDataSource = Omit<DataSourceRow, 'engine' | 'sealedSecrets' | 'lastCheck' | 'weight'> &
  Partial<Pick<DataSourceRow, 'weight'>>

export async function insertDataSource(db: Kysely<Schema>, source: NewDataSource): Promise<void> {
  await db
    .insertInto('data_source')
    .values({
      id: source.id,
      instance_id: source.instanceId,
      type: source.type,
      name: source.name,
      ...changeableColumns(source),
    })
    .execute()
}

/** Replaces every changeable field of a data source. What checks found of the way that it led before is forgotten. */
export async function updateDataSource(db: Kysely<Schema>, source: NewDataSource): Promise<void> {
  await db
    .updateTable('data_source')
    .set({
      ...changeableColumns(source),
      last_checked_at: null,
      last_check_ok: null,
      last_check_code: null,
      last_check_lag_seconds: null,
      updated_at: sql`now()`,
    })
    .where('id', '=', source.id)
    .execute()
}

/** Removes a data source with its secrets. */
export async function deleteDataSource(db: Kysely<Schema>, id: DataSourceId): Promise<void> {
  await db.deleteFrom('data_source').where('id', '=', id).execute()
}

/** Notes that a connection test of the data source, as it is stored, was good. */
export async function markDataSourceTested(db: Kysely<Schema>, id: DataSourceId): Promise<void> {
  await db.updateTable('data_source').set({ tested: true }).where('id', '=', id).execute()
}

/** Writes what a check found, and no other column: a check never undoes what somebody changed meanwhile. */
export async function recordDataSourceCheck(
  db: Kysely<Schema>,
  id: DataSourceId,
  check: DataSourceCheck,
): Promise<void> {
  await db
    .updateTable('data_source')
    .set({
      last_checked_at: check.checkedAt,
      last_check_ok: check.ok,
      last_check_code: check.code,
      last_check_lag_seconds: check.lagSeconds,
    })
    .where('id', '=', id)
    .execute()
}

/** The data source that Postern itself works with; managed instances have one from their first start on. */
export async function findAdminDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
): Promise<DataSourceRow | undefined> {
  const row = await selectDataSources(db)
    .where('data_source.instance_id', '=', instanceId)
    .where('data_source.type', '=', 'admin')
    .executeTakeFirst()
  return row && dataSourceFromRow(row)
}

/** A data source of the instance, by its name or its id. */
export async function findDataSource(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  nameOrId: string,
): Promise<DataSourceRow | undefined> {
  const row = await selectDataSources(db)
    .where('data_source.instance_id', '=', instanceId)
    .where(sql<boolean>`(data_source.name = ${nameOrId} or data_source.id::text = lower(${nameOrId}))`)
    .executeTakeFirst()
  return row && dataSourceFromRow(row)
}

/** Data sources of these instances, admin first. */
export async function listDataSources(
  db: Kysely<Schema>,
  instanceIds: readonly InstanceId[],
): Promise<DataSourceRow[]> {
  if (instanceIds.length === 0) return []
  const rows = await selectDataSources(db)
    .where('data_source.instance_id', 'in', instanceIds)
    .orderBy('data_source.type')
    .orderBy('data_source.created_at')
    .orderBy('data_source.name')
    .execute()
  return rows.map(dataSourceFromRow)
}

function changeableColumns(source: NewDataSource) {
  return {
    title: source.title,
    weight: source.weight,
    host: source.host,
    port: source.port,
    database: source.database,
    username: source.username,
    login_method: source.loginMethod,
    tls_mode: source.tlsMode,
    tls_ca: source.tlsCa,
    tls_client_certificate: source.tlsClientCertificate,
    tls_files: JSON.stringify(source.tlsFiles),
    ssh: JSON.stringify(source.ssh),
    fields: JSON.stringify(source.fields),
    extra_parameters: JSON.stringify(source.extraParameters),
    external_references: JSON.stringify(source.secretReferences),
    tested: source.tested,
  }
}

/** The row and its secrets as one statement: never the secrets of one moment and the destination of another. */
function selectDataSources(db: Kysely<Schema>) {
  return db
    .selectFrom('data_source')
    .innerJoin('instance', 'instance.id', 'data_source.instance_id')
    .selectAll('data_source')
    .select('instance.engine')
    .select(
      sql<Record<string, string> | null>`(
        select json_object_agg(s.field, encode(s.sealed, 'base64'))
        from data_source_secret s where s.data_source_id = data_source.id)`.as('sealed_secrets'),
    )
}

type SelectedDataSource = Awaited<ReturnType<ReturnType<typeof selectDataSources>['executeTakeFirstOrThrow']>>

function dataSourceFromRow(row: SelectedDataSource): DataSourceRow {
  return {
    id: row.id,
    instanceId: row.instance_id,
    engine: row.engine,
    name: row.name,
    type: row.type,
    title: row.title,
    host: row.host,
    port: row.port,
    database: row.database,
    username: row.username,
    loginMethod: row.login_method,
    tlsMode: row.tls_mode,
    tlsCa: row.tls_ca,
    tlsClientCertificate: row.tls_client_certificate,
    tlsFiles: row.tls_files,
    ssh: row.ssh,
    fields: row.fields,
    extraParameters: row.extra_parameters,
    secretReferences: row.external_references,
    tested: row.tested,
    weight: row.weight,
    lastCheck:
      row.last_checked_at === null
        ? null
        : {
            checkedAt: row.last_checked_at,
            ok: row.last_check_ok ?? false,
            code: row.last_check_code,
            lagSeconds: row.last_check_lag_seconds,
          },
    sealedSecrets: sealedSecretsFromJson(row.sealed_secrets),
  }
}
