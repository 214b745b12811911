import type { Transaction } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import { endSignIns } from '../store/end-sign-ins.ts'
import { announcePrincipalChanged } from '../store/principal-changes.ts'
import type { Schema } from '../store/schema.ts'

/**
 * What belongs to every deactivation and deletion: sessions, grants and refresh tokens of the principal end with the transaction, and
 * every node hears of it.
 */
export async function withdrawAccess(db: Transaction<Schema>, principalId: PrincipalId): Promise<void> {
  await endSignIns(db, principalId)
  await announcePrincipalChanged(db, principalId)
}
