import type pg from 'pg'
import type { InstanceId, WorkspaceId } from '../base/ids.ts'
import { type LoginSource, type LoginSourceColumns, loginSourceColumns, loginSourceFromRow } from './login-source.ts'

/** What a login by password asks the store. Without a workspace, it is the only one there is, or none. */
export interface NativeLoginQuestion {
  readonly workspaceId: WorkspaceId | undefined
  readonly instanceName: string
  readonly roleName: string
}

/** Everything that decides whether a password may be tried at the database, as one statement read it at one moment. */
export interface NativeLoginFacts {
  readonly workspaceId: WorkspaceId
  readonly instance: {
    readonly id: InstanceId
    readonly name: string
    readonly state: string
    readonly defaultDatabase: string
    readonly systemIdentifier: string | null
    readonly nativeLoginEnabled: boolean
    /** Named by who configures the instance: allowed in spite of what they are. */
    readonly nativeLoginRoles: readonly string[]
  }
  /** Postern made a Postgres role of this name there, or in the same cluster under another name of the instance. */
  readonly isBound: boolean
  /** A data source of the instance, or of the same cluster, logs in as it. */
  readonly isDataSourceUser: boolean
  readonly adminDataSource: LoginSource | null
}

const statement = {
  name: 'native-login-facts-1',
  text: `
    select t.workspace_id, t.id, t.name, t.state, t.default_database, t.system_identifier, t.native_login_enabled, t.native_login_roles,
      exists (select from postgres_role_binding b
        where b.role_name = $3 and (b.instance_id = t.id or b.system_identifier = t.system_identifier)) as is_bound,
      exists (select from data_source u join instance i on i.id = u.instance_id
        where u.username = $3 and (i.id = t.id or i.system_identifier = t.system_identifier)) as is_data_source_user,
      t.engine, ${loginSourceColumns}
    from instance t
      left join data_source d on d.instance_id = t.id and d.type = 'admin'
    where t.name = $2 and t.workspace_id = coalesce($1, (select min(id) from workspace having count(*) = 1))`,
}

/** A row of {@link statement}. */
interface NativeLoginFactsRow extends LoginSourceColumns {
  readonly workspace_id: WorkspaceId
  readonly id: InstanceId
  readonly name: string
  readonly state: string
  readonly default_database: string
  readonly system_identifier: string | null
  readonly native_login_enabled: boolean
  readonly native_login_roles: readonly string[]
  readonly is_bound: boolean
  readonly is_data_source_user: boolean
}

/** Reads what decides a login by password; null: there is no such instance. */
export async function readNativeLoginFacts(
  pool: pg.Pool,
  question: NativeLoginQuestion,
): Promise<NativeLoginFacts | null> {
  const values = [question.workspaceId ?? null, question.instanceName, question.roleName]
  const { rows } = await pool.query<NativeLoginFactsRow>({ ...statement, values })
  const [row] = rows
  if (row === undefined) return null
  return {
    workspaceId: row.workspace_id,
    instance: {
      id: row.id,
      name: row.name,
      state: row.state,
      defaultDatabase: row.default_database,
      systemIdentifier: row.system_identifier,
      nativeLoginEnabled: row.native_login_enabled,
      nativeLoginRoles: row.native_login_roles,
    },
    isBound: row.is_bound,
    isDataSourceUser: row.is_data_source_user,
    adminDataSource: loginSourceFromRow(row),
  }
}

const boundOid = {
  name: 'bound-oid-1',
  text: `select exists (select from postgres_role_binding where system_identifier = $1 and role_oid = $2) as is_bound`,
}

/** Whether Postern made the role with this oid in this cluster, whatever it is called by now. */
export async function isBoundOid(pool: pg.Pool, systemIdentifier: string, roleOid: string): Promise<boolean> {
  const { rows } = await pool.query<{ is_bound: boolean }>({ ...boundOid, values: [systemIdentifier, roleOid] })
  return rows[0]?.is_bound === true
}
