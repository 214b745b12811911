import { sql, type Kysely } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** Ends what was signed in as this principal, in every workspace: sessions, grants, refresh tokens and codes. */
export async function endSignIns(db: Kysely<Schema>, principalId: PrincipalId): Promise<void> {
  await sql`delete from oauth_artifact where payload ->> 'accountId' = ${principalId}`.execute(db)
}
