import type { ColumnType, Generated } from 'kysely'
import type { EngineField, LoginMethod } from '../contract/engines.ts'
import type { TlsMode } from '../contract/tls-mode.ts'
import type { SshHop, TlsFiles } from '../dialer/data-source-route.ts'
import type { PublicReferences, SecretField } from '../dialer/data-source-secrets.ts'
import type { DataSourceId, InstanceId, PrincipalId, RoleBindingId, SessionId, WorkspaceId } from '../base/ids.ts'
import type { CatalogSchema } from './schema-catalog.ts'
import type { IdentityProviderSchema } from './schema-identity-providers.ts'
import type { InstanceSchema } from './schema-instances.ts'
import type { SqlSchema } from './schema-sql.ts'

/**
 * The tables of the metadata store as Kysely sees them: one interface per table of migrations/, same names, same order.
 * bigint columns are strings (ids never pass through a number), timestamptz is a Date, bytea a Buffer.
 */
export interface Schema extends CatalogSchema, SqlSchema, IdentityProviderSchema, InstanceSchema {
  deployment: DeploymentTable
  workspace: WorkspaceTable
  workspace_host: WorkspaceHostTable
  principal: PrincipalTable
  user_account: UserAccountTable
  service_principal: ServicePrincipalTable
  service_principal_secret: ServicePrincipalSecretTable
  principal_group: PrincipalGroupTable
  group_member: GroupMemberTable
  workspace_assignment: WorkspaceAssignmentTable
  password_reset: PasswordResetTable
  data_source: DataSourceTable
  data_source_secret: DataSourceSecretTable
  ssh_key: SshKeyTable
  postgres_role_binding: PostgresRoleBindingTable
  session_statement_key: SessionStatementKeyTable
  sql_extension: SqlExtensionTable
  signing_key: SigningKeyTable
  certificate: CertificateTable
  oauth_artifact: OauthArtifactTable
  oauth_consent: OauthConsentTable
  audit_event: AuditEventTable
}

/** Set once, when the row is written. */
type Immutable<T> = ColumnType<T, T, never>
/** Filled in by the database, never changed. */
type MadeByDatabase<T> = ColumnType<T, T | undefined, never>
/** bigint that is written as a number or text and read as text. */
type BigintText = ColumnType<string, string | number | bigint, string | number | bigint>
/** jsonb: written as JSON text (pg would turn an array into a Postgres array), read as the parsed value. */
type Json<T> = ColumnType<T, string, string>
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>

export interface DeploymentTable {
  singleton: Generated<boolean>
  id: MadeByDatabase<string>
  key_check: Buffer
  created_at: MadeByDatabase<Date>
}

export interface WorkspaceTable {
  id: Immutable<WorkspaceId>
  name: string
  gateway_domain: string
  created_at: MadeByDatabase<Date>
  is_first: Generated<boolean>
}

export interface WorkspaceHostTable {
  host: string
  workspace_id: WorkspaceId
}

export interface PrincipalTable {
  id: Immutable<PrincipalId>
  kind: Immutable<'user' | 'service_principal' | 'group'>
  display_name: string
  active: Generated<boolean>
  created_at: MadeByDatabase<Date>
  home_workspace_id: ColumnType<WorkspaceId | null, WorkspaceId | undefined, never>
  external_id: string | null
}

export interface UserAccountTable {
  principal_id: Immutable<PrincipalId>
  kind: MadeByDatabase<'user'>
  email: string
  password_hash: string | null
}

export interface ServicePrincipalTable {
  principal_id: Immutable<PrincipalId>
  kind: MadeByDatabase<'service_principal'>
  client_id: Immutable<string>
}

export interface ServicePrincipalSecretTable {
  id: Immutable<string>
  principal_id: Immutable<PrincipalId>
  secret_hash: Immutable<Buffer>
  hint: Immutable<string>
  created_at: MadeByDatabase<Date>
  expires_at: Date | null
  last_used_at: Date | null
}

export interface PrincipalGroupTable {
  principal_id: Immutable<PrincipalId>
  kind: MadeByDatabase<'group'>
}

export interface GroupMemberTable {
  group_id: PrincipalId
  member_id: PrincipalId
}

export interface WorkspaceAssignmentTable {
  workspace_id: WorkspaceId
  principal_id: PrincipalId
  role: 'admin' | 'dba' | 'member'
}

export interface PasswordResetTable {
  principal_id: Immutable<PrincipalId>
  secret_hash: Buffer
  expires_at: Date
}

/** A hop as it is stored: with what the form shows of its key. */
export type StoredSshHop = SshHop & {
  /** The generated key pair whose private half the hop uses; absent where a key of one's own was entered. */
  readonly generatedKeyId?: string
  /** Public half of the hop's key, in the form of authorized_keys; absent where it logs in with a password. */
  readonly publicKey?: string
}

export interface DataSourceTable {
  id: Immutable<DataSourceId>
  instance_id: Immutable<InstanceId>
  type: Immutable<'admin' | 'read_only'>
  host: string
  port: number
  database: string
  username: string
  login_method: Generated<LoginMethod>
  tls_mode: TlsMode
  tls_ca: string | null
  created_at: MadeByDatabase<Date>
  updated_at: Generated<Date>
  name: Immutable<string>
  title: Generated<string>
  tls_client_certificate: string | null
  tls_files: JsonWithDefault<TlsFiles>
  ssh: JsonWithDefault<readonly StoredSshHop[]>
  fields: JsonWithDefault<Readonly<Partial<Record<EngineField, string>>>>
  external_references: JsonWithDefault<PublicReferences>
  extra_parameters: JsonWithDefault<Readonly<Record<string, string>>>
  tested: Generated<boolean>
  weight: Generated<number>
  last_checked_at: Date | null
  last_check_ok: boolean | null
  last_check_code: string | null
  last_check_lag_seconds: number | null
}

export interface DataSourceSecretTable {
  data_source_id: Immutable<DataSourceId>
  field: Immutable<SecretField>
  sealed: Buffer
}

export interface SshKeyTable {
  id: Immutable<string>
  workspace_id: Immutable<WorkspaceId>
  title: Generated<string>
  public_key: Immutable<string>
  private_key_sealed: Buffer
  created_by: PrincipalId | null
  created_at: MadeByDatabase<Date>
}

export interface PostgresRoleBindingTable {
  id: Immutable<RoleBindingId>
  instance_id: Immutable<InstanceId>
  principal_id: Immutable<PrincipalId>
  role_name: string
  role_oid: BigintText
  system_identifier: string
  can_create_db: Generated<boolean>
  can_create_role: Generated<boolean>
  bypass_rls: Generated<boolean>
  is_administrator: Generated<boolean>
  login_key_sealed: Buffer | null
  created_by: PrincipalId | null
  created_at: MadeByDatabase<Date>
}

export interface SessionStatementKeyTable {
  singleton: Generated<boolean>
  private_key_sealed: Buffer
  created_at: MadeByDatabase<Date>
}

export interface SqlExtensionTable {
  instance_id: Immutable<InstanceId>
  database: Immutable<string>
  created_by: PrincipalId | null
  created_at: MadeByDatabase<Date>
}

export interface SigningKeyTable {
  id: Immutable<string>
  workspace_id: Immutable<WorkspaceId>
  purpose: Immutable<'access_token' | 'database_credential'>
  private_key_sealed: Buffer
  created_at: MadeByDatabase<Date>
  active_from: Date
  verify_until: Date | null
}

export interface CertificateTable {
  id: Immutable<string>
  purpose: Immutable<'authority' | 'server'>
  certificate_pem: string
  private_key_sealed: Buffer
  names: Generated<string[]>
  not_after: Date
  created_at: MadeByDatabase<Date>
}

export interface OauthArtifactTable {
  workspace_id: Immutable<WorkspaceId>
  model: Immutable<string>
  id: Immutable<string>
  payload: Json<Record<string, unknown>>
  grant_id: string | null
  user_code: string | null
  uid: string | null
  expires_at: Date | null
  consumed_at: Date | null
}

export interface OauthConsentTable {
  workspace_id: WorkspaceId
  principal_id: PrincipalId
  client_id: string
  created_at: MadeByDatabase<Date>
}

export interface AuditEventTable {
  id: Immutable<string>
  occurred_at: Immutable<Date>
  recorded_at: MadeByDatabase<Date>
  workspace_id: WorkspaceId | null
  action: string
  outcome: 'allowed' | 'denied' | 'failed'
  reason: string | null
  actor_id: PrincipalId | null
  actor_name: string | null
  target_type: string | null
  target_id: string | null
  target_name: string | null
  session_id: SessionId | null
  request_id: string | null
  peer: string | null
  detail: JsonWithDefault<Record<string, unknown>>
}
