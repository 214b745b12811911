import type { ColumnType } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'

/** The tables of identity providers, as Kysely sees them. */
export interface IdentityProviderSchema {
  sso_provider: SsoProviderTable
  sso_identity: SsoIdentityTable
  sso_membership: SsoMembershipTable
  federation_policy: FederationPolicyTable
}

/** Set once, when the row is written. */
type Immutable<T> = ColumnType<T, T, never>
/** Filled in by the database, never changed. */
type MadeByDatabase<T> = ColumnType<T, T | undefined, never>

interface SsoProviderTable {
  id: Immutable<string>
  workspace_id: Immutable<WorkspaceId>
  name: string
  issuer: Immutable<string>
  issuer_ca: string | null
  client_id: string
  client_secret_sealed: Buffer | null
  scopes: string[]
  email_claim: string
  name_claim: string
  groups_claim: string | null
  email_domains: string[]
  creates_users: boolean
  enforced: boolean
  created_at: MadeByDatabase<Date>
}

interface SsoIdentityTable {
  provider_id: Immutable<string>
  subject: Immutable<string>
  principal_id: Immutable<PrincipalId>
  created_at: MadeByDatabase<Date>
  last_sign_in_at: Date | null
}

interface SsoMembershipTable {
  provider_id: Immutable<string>
  principal_id: Immutable<PrincipalId>
  group_id: Immutable<PrincipalId>
}

interface FederationPolicyTable {
  id: Immutable<string>
  principal_id: Immutable<PrincipalId>
  name: Immutable<string>
  issuer: Immutable<string>
  issuer_ca: Immutable<string | null>
  jwks_uri: Immutable<string | null>
  audiences: Immutable<string[]>
  subject_claim: Immutable<string>
  subject: Immutable<string>
  created_at: MadeByDatabase<Date>
}
