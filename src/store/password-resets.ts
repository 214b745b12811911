import type { Kysely } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** Keeps the one reset secret of a user, in place of an earlier one. */
export async function putPasswordReset(
  db: Kysely<Schema>,
  reset: { readonly principalId: PrincipalId; readonly hash: Buffer; readonly expiresAt: Date },
): Promise<void> {
  const { principalId, hash, expiresAt } = reset
  await db
    .insertInto('password_reset')
    .values({ principal_id: principalId, secret_hash: hash, expires_at: expiresAt })
    .onConflict((conflict) => conflict.column('principal_id').doUpdateSet({ secret_hash: hash, expires_at: expiresAt }))
    .execute()
}

/** Takes the reset secret with this hash away and answers whose it was; of several who present it, one is answered. */
export async function takePasswordReset(db: Kysely<Schema>, hash: Buffer, now: Date): Promise<PrincipalId | undefined> {
  const row = await db
    .deleteFrom('password_reset')
    .where('secret_hash', '=', hash)
    .where('expires_at', '>', now)
    .returning('principal_id')
    .executeTakeFirst()
  return row?.principal_id
}

export async function deletePasswordReset(db: Kysely<Schema>, principalId: PrincipalId): Promise<void> {
  await db.deleteFrom('password_reset').where('principal_id', '=', principalId).execute()
}

/** Replaces the password of a user. */
export async function setPasswordHash(db: Kysely<Schema>, principalId: PrincipalId, hash: string): Promise<void> {
  await db.updateTable('user_account').set({ password_hash: hash }).where('principal_id', '=', principalId).execute()
}

/** The stored password hash of a user by id. */
export async function readPasswordHashOf(db: Kysely<Schema>, principalId: PrincipalId): Promise<string | null> {
  const row = await db
    .selectFrom('user_account')
    .select('password_hash')
    .where('principal_id', '=', principalId)
    .executeTakeFirst()
  return row?.password_hash ?? null
}
