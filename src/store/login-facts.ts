import type pg from 'pg'
import type { InstanceId, PrincipalId, RoleBindingId, WorkspaceId } from '../base/ids.ts'
import { withHeldPrincipals } from './held-principals.ts'
import { type LoginSource, type LoginSourceColumns, loginSourceColumns, loginSourceFromRow } from './login-source.ts'

/** What a login asks the store: one principal, one instance (by name, or by id when the login names none), one Postgres role. */
export interface LoginQuestion {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly instance: { readonly name: string } | { readonly id: InstanceId }
  readonly roleName: string
  /** Its read-only data sources are wanted, too. */
  readonly readOnly: boolean
}

/** Everything that decides a login, as one statement read it at one moment. */
export interface LoginFacts {
  readonly principal: { readonly name: string; readonly active: boolean; readonly inWorkspace: boolean } | null
  readonly instance: {
    readonly id: InstanceId
    readonly name: string
    readonly kind: 'external' | 'managed'
    readonly state: string
    readonly defaultDatabase: string
    /** Access tokens of the workspace are taken as passwords. */
    readonly accessTokenLogin: boolean
    /** databricks_create_role may be called there: sessions carry what it checks. */
    readonly mayHaveDatabricksAuth: boolean
  } | null
  readonly binding: {
    readonly id: RoleBindingId
    readonly roleOid: string
    readonly systemIdentifier: string
    readonly loginKeySealed: Buffer | null
    readonly holderId: PrincipalId
    readonly holderKind: 'user' | 'service_principal' | 'group'
    readonly holderActive: boolean
    readonly holderInWorkspace: boolean
    /** The principal is the holder, or a direct or indirect member of the group that is. */
    readonly heldByPrincipal: boolean
  } | null
  readonly adminDataSource: LoginSource | null
  /** Those that answered their last check first, then the heavier; empty where they were not asked for. */
  readonly readOnlySources: readonly LoginSource[]
}

const statement = {
  name: 'login-facts-5',
  text: `
    ${withHeldPrincipals},
    target as (
      select id, name, kind, engine, state, default_database, access_token_login_enabled from instance
      where workspace_id = $1 and (name = $3 or id = $4)
    )
    select
      p.active as principal_active,
      coalesce(u.email, s.client_id::text, p.display_name) as principal_name,
      exists (select from workspace_assignment a join held h on h.id = a.principal_id where a.workspace_id = $1) as in_workspace,
      t.id as instance_id, t.name as instance_name, t.kind as instance_kind, t.state, t.default_database, t.access_token_login_enabled,
      t.kind = 'managed' or exists (select from sql_extension e where e.instance_id = t.id) as may_have_databricks_auth,
      b.id as binding_id, b.role_oid::text, b.system_identifier, b.login_key_sealed,
      b.principal_id as holder_id, holder.kind as holder_kind, holder.active as holder_active,
      exists (select from workspace_assignment a where a.workspace_id = $1 and a.principal_id = b.principal_id) as holder_in_workspace,
      exists (select from held h where h.id = b.principal_id) as held_by_principal,
      t.engine, ${loginSourceColumns},
      case when $6 then (
        select jsonb_agg(to_jsonb(source) order by source.order_ok desc, source.order_weight desc, source.order_name)
        from (
          select coalesce(d.last_check_ok, true) as order_ok, d.weight as order_weight, d.name as order_name, ${loginSourceColumns}
          from data_source d where d.instance_id = t.id and d.type = 'read_only'
        ) as source)
      end as read_only_sources
    from (select) as one
      left join principal p on p.id = $2
      left join user_account u on u.principal_id = p.id
      left join service_principal s on s.principal_id = p.id
      left join target t on true
      left join postgres_role_binding b on b.instance_id = t.id and b.role_name = $5
      left join principal holder on holder.id = b.principal_id
      left join data_source d on d.instance_id = t.id and d.type = 'admin'`,
}

/** A row of {@link statement}: what a left join did not find is null. */
interface LoginFactsRow extends LoginSourceColumns {
  principal_active: boolean | null
  principal_name: string
  in_workspace: boolean
  instance_id: InstanceId | null
  instance_name: string
  instance_kind: 'external' | 'managed'
  state: string
  default_database: string
  access_token_login_enabled: boolean
  may_have_databricks_auth: boolean
  binding_id: RoleBindingId | null
  role_oid: string
  system_identifier: string
  login_key_sealed: Buffer | null
  holder_id: PrincipalId
  holder_kind: 'user' | 'service_principal' | 'group'
  holder_active: boolean
  holder_in_workspace: boolean
  held_by_principal: boolean
  read_only_sources: readonly LoginSourceColumns[] | null
}

/** Reads what decides a login: one prepared statement, one round trip (design section 5a). */
export async function readLoginFacts(pool: pg.Pool, question: LoginQuestion): Promise<LoginFacts> {
  const name = 'name' in question.instance ? question.instance.name : null
  const id = 'id' in question.instance ? question.instance.id : null
  const values = [question.workspaceId, question.principalId, name, id, question.roleName, question.readOnly]
  const { rows } = await pool.query<LoginFactsRow>({ ...statement, values })
  // One row always: the joins begin at a row of their own.
  return factsFromRow(rows[0] as LoginFactsRow)
}

function factsFromRow(row: LoginFactsRow): LoginFacts {
  return {
    principal:
      row.principal_active === null
        ? null
        : { name: row.principal_name, active: row.principal_active, inWorkspace: row.in_workspace },
    instance:
      row.instance_id === null
        ? null
        : {
            id: row.instance_id,
            name: row.instance_name,
            kind: row.instance_kind,
            state: row.state,
            defaultDatabase: row.default_database,
            accessTokenLogin: row.access_token_login_enabled,
            mayHaveDatabricksAuth: row.may_have_databricks_auth,
          },
    binding:
      row.binding_id === null
        ? null
        : {
            id: row.binding_id,
            roleOid: row.role_oid,
            systemIdentifier: row.system_identifier,
            loginKeySealed: row.login_key_sealed,
            holderId: row.holder_id,
            holderKind: row.holder_kind,
            holderActive: row.holder_active,
            holderInWorkspace: row.holder_in_workspace,
            heldByPrincipal: row.held_by_principal,
          },
    adminDataSource: loginSourceFromRow(row),
    readOnlySources: (row.read_only_sources ?? []).flatMap((source) => {
      const { engine } = row
      return loginSourceFromRow({ ...source, engine }) ?? []
    }),
  }
}
