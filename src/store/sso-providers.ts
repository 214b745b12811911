import type { Kysely } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** An issuer through which people sign in to a workspace. */
export interface SsoProviderRow {
  readonly id: string
  readonly workspaceId: WorkspaceId
  /** What people read on the sign-in page. */
  readonly name: string
  readonly issuer: string
  /** PEM of the authorities that the issuer's certificate may come from; null: the public ones. */
  readonly issuerCa: string | null
  readonly clientId: string
  /** Opens for this provider and issuer alone; null: a public client. */
  readonly clientSecretSealed: Buffer | null
  readonly scopes: readonly string[]
  readonly emailClaim: string
  readonly nameClaim: string
  readonly groupsClaim: string | null
  /** The issuer's word counts for addresses of these domains; empty: for those that it calls verified. */
  readonly emailDomains: readonly string[]
  readonly createsUsers: boolean
  readonly enforced: boolean
  readonly createdAt: Date
}

/** What may change of a provider; its issuer never does. */
export type SsoProviderChange = Partial<Omit<SsoProviderRow, 'id' | 'workspaceId' | 'issuer' | 'createdAt'>>

const columns = [
  'id',
  'workspace_id as workspaceId',
  'name',
  'issuer',
  'issuer_ca as issuerCa',
  'client_id as clientId',
  'client_secret_sealed as clientSecretSealed',
  'scopes',
  'email_claim as emailClaim',
  'name_claim as nameClaim',
  'groups_claim as groupsClaim',
  'email_domains as emailDomains',
  'creates_users as createsUsers',
  'enforced',
  'created_at as createdAt',
] as const

export async function insertSsoProvider(
  db: Kysely<Schema>,
  provider: Omit<SsoProviderRow, 'createdAt'>,
): Promise<void> {
  await db
    .insertInto('sso_provider')
    .values({
      id: provider.id,
      workspace_id: provider.workspaceId,
      name: provider.name,
      issuer: provider.issuer,
      issuer_ca: provider.issuerCa,
      client_id: provider.clientId,
      client_secret_sealed: provider.clientSecretSealed,
      scopes: [...provider.scopes],
      email_claim: provider.emailClaim,
      name_claim: provider.nameClaim,
      groups_claim: provider.groupsClaim,
      email_domains: [...provider.emailDomains],
      creates_users: provider.createsUsers,
      enforced: provider.enforced,
    })
    .execute()
}

/** Providers of a workspace, by name. */
export function listSsoProviders(db: Kysely<Schema>, workspaceId: WorkspaceId): Promise<SsoProviderRow[]> {
  return db.selectFrom('sso_provider').select(columns).where('workspace_id', '=', workspaceId).orderBy('name').execute()
}

export async function updateSsoProvider(db: Kysely<Schema>, id: string, change: SsoProviderChange): Promise<void> {
  const values = {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.issuerCa !== undefined && { issuer_ca: change.issuerCa }),
    ...(change.clientId !== undefined && { client_id: change.clientId }),
    ...(change.clientSecretSealed !== undefined && { client_secret_sealed: change.clientSecretSealed }),
    ...(change.scopes !== undefined && { scopes: [...change.scopes] }),
    ...(change.emailClaim !== undefined && { email_claim: change.emailClaim }),
    ...(change.nameClaim !== undefined && { name_claim: change.nameClaim }),
    ...(change.groupsClaim !== undefined && { groups_claim: change.groupsClaim }),
    ...(change.emailDomains !== undefined && { email_domains: [...change.emailDomains] }),
    ...(change.createsUsers !== undefined && { creates_users: change.createsUsers }),
    ...(change.enforced !== undefined && { enforced: change.enforced }),
  }
  if (Object.keys(values).length === 0) return
  await db.updateTable('sso_provider').set(values).where('id', '=', id).execute()
}

export async function deleteSsoProvider(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom('sso_provider').where('id', '=', id).execute()
}

/** The user that a subject of this provider is; undefined: nobody yet. */
export async function findSsoIdentity(
  db: Kysely<Schema>,
  providerId: string,
  subject: string,
): Promise<PrincipalId | undefined> {
  const row = await db
    .selectFrom('sso_identity')
    .select('principal_id')
    .where('provider_id', '=', providerId)
    .where('subject', '=', subject)
    .executeTakeFirst()
  return row?.principal_id
}

/** Users that signed in through this provider. */
export async function listSsoPrincipals(db: Kysely<Schema>, providerId: string): Promise<PrincipalId[]> {
  const rows = await db
    .selectFrom('sso_identity')
    .select('principal_id')
    .where('provider_id', '=', providerId)
    .execute()
  return rows.map((row) => row.principal_id)
}

/** @returns whether it was inserted: not when the subject is linked already, or the user to another subject */
export async function insertSsoIdentity(
  db: Kysely<Schema>,
  identity: { readonly providerId: string; readonly subject: string; readonly principalId: PrincipalId },
): Promise<boolean> {
  const { providerId, subject, principalId } = identity
  const inserted = await db
    .insertInto('sso_identity')
    .values({ provider_id: providerId, subject, principal_id: principalId, last_sign_in_at: null })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function touchSsoIdentity(
  db: Kysely<Schema>,
  providerId: string,
  subject: string,
  at: Date,
): Promise<void> {
  await db
    .updateTable('sso_identity')
    .set({ last_sign_in_at: at })
    .where('provider_id', '=', providerId)
    .where('subject', '=', subject)
    .execute()
}

/** Groups that claims of this provider put the user into. */
export async function listSsoMemberships(
  db: Kysely<Schema>,
  providerId: string,
  principalId: PrincipalId,
): Promise<PrincipalId[]> {
  const rows = await db
    .selectFrom('sso_membership')
    .select('group_id')
    .where('provider_id', '=', providerId)
    .where('principal_id', '=', principalId)
    .execute()
  return rows.map((row) => row.group_id)
}

export async function insertSsoMembership(
  db: Kysely<Schema>,
  membership: { readonly providerId: string; readonly principalId: PrincipalId; readonly groupId: PrincipalId },
): Promise<void> {
  const { providerId, principalId, groupId } = membership
  await db
    .insertInto('sso_membership')
    .values({ provider_id: providerId, principal_id: principalId, group_id: groupId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function deleteSsoMembership(
  db: Kysely<Schema>,
  membership: { readonly providerId: string; readonly principalId: PrincipalId; readonly groupId: PrincipalId },
): Promise<void> {
  await db
    .deleteFrom('sso_membership')
    .where('provider_id', '=', membership.providerId)
    .where('principal_id', '=', membership.principalId)
    .where('group_id', '=', membership.groupId)
    .execute()
}
