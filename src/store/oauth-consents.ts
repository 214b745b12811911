import type { Kysely } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** Whose consent to which client. */
export interface OauthConsent {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly clientId: string
}

export async function isConsentGiven(db: Kysely<Schema>, consent: OauthConsent): Promise<boolean> {
  const row = await db
    .selectFrom('oauth_consent')
    .select('client_id')
    .where('workspace_id', '=', consent.workspaceId)
    .where('principal_id', '=', consent.principalId)
    .where('client_id', '=', consent.clientId)
    .executeTakeFirst()
  return row !== undefined
}

/** Giving it twice is giving it once. */
export async function giveConsent(db: Kysely<Schema>, consent: OauthConsent): Promise<void> {
  await db
    .insertInto('oauth_consent')
    .values({ workspace_id: consent.workspaceId, principal_id: consent.principalId, client_id: consent.clientId })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'principal_id', 'client_id']).doNothing())
    .execute()
}
