import type pg from 'pg'
import type { DataSourceId, InstanceId, PrincipalId, RoleBindingId, WorkspaceId } from '../base/ids.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { type SealedSecrets, sealedSecretsFromJson } from './data-source-secrets.ts'
import type { DataSourceRow } from './data-sources.ts'
import { withHeldPrincipals } from './held-principals.ts'

/** What a login asks the store: one principal, one instance (by name, or by id when the login names none), one Postgres role. */
export interface LoginQuestion {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly instance: { readonly name: string } | { readonly id: InstanceId }
  readonly roleName: string
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
  readonly adminDataSource: (Omit<Pick<DataSourceRow, keyof DataSourceRoute>, 'username'> & Way) | null
}

/** What a way has beyond host, port and TLS. */
interface Way extends Pick<
  DataSourceRow,
  'tlsClientCertificate' | 'tlsFiles' | 'ssh' | 'fields' | 'extraParameters' | 'secretReferences'
> {
  /** Sealed keys of its client certificate and of SSH, and the data source with the user that they are sealed for. */
  readonly routeSecrets: { readonly id: DataSourceId; readonly username: string; readonly sealed: SealedSecrets } | null
}

const statement = {
  name: 'login-facts-3',
  text: `
    ${withHeldPrincipals},
    target as (
      select id, name, kind, engine, state, default_database from instance
      where workspace_id = $1 and (name = $3 or id = $4)
    )
    select
      p.active as principal_active,
      coalesce(u.email, s.client_id::text, p.display_name) as principal_name,
      exists (select from workspace_assignment a join held h on h.id = a.principal_id where a.workspace_id = $1) as in_workspace,
      t.id as instance_id, t.name as instance_name, t.kind as instance_kind, t.state, t.default_database,
      b.id as binding_id, b.role_oid::text, b.system_identifier, b.login_key_sealed,
      b.principal_id as holder_id, holder.kind as holder_kind, holder.active as holder_active,
      exists (select from workspace_assignment a where a.workspace_id = $1 and a.principal_id = b.principal_id) as holder_in_workspace,
      exists (select from held h where h.id = b.principal_id) as held_by_principal,
      t.engine, d.host, d.port, d.database, d.login_method, d.tls_mode, d.tls_ca,
      -- Null for most: nothing is looked up, sent and parsed for a way without any of it.
      case when d.tls_client_certificate is not null or d.tls_files <> '{}' or d.ssh <> '[]'
          or d.fields <> '{}' or d.extra_parameters <> '{}' or d.external_references <> '{}' then
        jsonb_build_object('tlsClientCertificate', d.tls_client_certificate, 'tlsFiles', d.tls_files, 'ssh', d.ssh,
          'fields', d.fields, 'extraParameters', d.extra_parameters, 'secretReferences', d.external_references, 'id', d.id, 'username', d.username,
          'secrets', (
            select jsonb_object_agg(field, encode(sealed, 'base64')) from data_source_secret
            where data_source_id = d.id and (field = 'tlsClientKey' or field like 'ssh.%')))
      end as way
    from (select) as one
      left join principal p on p.id = $2
      left join user_account u on u.principal_id = p.id
      left join service_principal s on s.principal_id = p.id
      left join target t on true
      left join postgres_role_binding b on b.instance_id = t.id and b.role_name = $5
      left join principal holder on holder.id = b.principal_id
      left join data_source d on d.instance_id = t.id and d.type = 'admin'`,
}

const PLAIN_WAY: Way = {
  tlsClientCertificate: null,
  tlsFiles: {},
  ssh: [],
  fields: {},
  extraParameters: {},
  secretReferences: {},
  routeSecrets: null,
}

/** A row of {@link statement}: what a left join did not find is null. */
interface LoginFactsRow {
  principal_active: boolean | null
  principal_name: string
  in_workspace: boolean
  instance_id: InstanceId | null
  instance_name: string
  instance_kind: 'external' | 'managed'
  state: string
  default_database: string
  binding_id: RoleBindingId | null
  role_oid: string
  system_identifier: string
  login_key_sealed: Buffer | null
  holder_id: PrincipalId
  holder_kind: 'user' | 'service_principal' | 'group'
  holder_active: boolean
  holder_in_workspace: boolean
  held_by_principal: boolean
  engine: DataSourceRow['engine']
  host: string | null
  port: number
  database: string
  login_method: DataSourceRow['loginMethod']
  tls_mode: DataSourceRow['tlsMode']
  tls_ca: string | null
  way:
    | (Omit<Way, 'routeSecrets'> & {
        readonly id: DataSourceId
        readonly username: string
        readonly secrets: Readonly<Record<string, string>> | null
      })
    | null
}

/** Reads what decides a login: one prepared statement, one round trip (design section 5a). */
export async function readLoginFacts(pool: pg.Pool, question: LoginQuestion): Promise<LoginFacts> {
  const name = 'name' in question.instance ? question.instance.name : null
  const id = 'id' in question.instance ? question.instance.id : null
  const values = [question.workspaceId, question.principalId, name, id, question.roleName]
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
    adminDataSource:
      row.host === null
        ? null
        : {
            engine: row.engine,
            host: row.host,
            port: row.port,
            database: row.database,
            loginMethod: row.login_method,
            tlsMode: row.tls_mode,
            tlsCa: row.tls_ca,
            ...(row.way === null ? PLAIN_WAY : wayFromRow(row.way)),
          },
  }
}

function wayFromRow({ id, username, secrets, ...way }: NonNullable<LoginFactsRow['way']>): Way {
  return { ...way, routeSecrets: secrets && { id, username, sealed: sealedSecretsFromJson(secrets) } }
}
