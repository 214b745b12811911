import { sql, type Kysely, type Transaction } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** A secret as it may be shown: its value is not stored. */
export interface ServicePrincipalSecretRow {
  readonly id: string
  readonly hint: string
  readonly createdAt: Date
  /** Null: never. */
  readonly expiresAt: Date | null
  readonly lastUsedAt: Date | null
}

/** What a presented secret is compared with. */
export interface LiveSecretHash {
  readonly id: string
  readonly principalId: PrincipalId
  readonly hash: Buffer
  readonly lastUsedAt: Date | null
}

/** Holds off other changes of this service principal's secrets until the transaction ends, so that a count stays true. */
export async function lockServicePrincipal(db: Transaction<Schema>, id: PrincipalId): Promise<void> {
  await sql`select from service_principal where principal_id = ${id} for update`.execute(db)
}

export async function deleteExpiredSecrets(db: Kysely<Schema>, principalId: PrincipalId, now: Date): Promise<void> {
  await db
    .deleteFrom('service_principal_secret')
    .where('principal_id', '=', principalId)
    .where('expires_at', '<=', now)
    .execute()
}

export async function insertSecret(
  db: Kysely<Schema>,
  secret: {
    readonly id: string
    readonly principalId: PrincipalId
    readonly hash: Buffer
    readonly hint: string
    readonly createdAt: Date
    readonly expiresAt: Date | null
  },
): Promise<void> {
  await db
    .insertInto('service_principal_secret')
    .values({
      id: secret.id,
      principal_id: secret.principalId,
      secret_hash: secret.hash,
      hint: secret.hint,
      created_at: secret.createdAt,
      expires_at: secret.expiresAt,
    })
    .execute()
}

/** Secrets of one service principal, oldest first, expired ones included. */
export async function listSecrets(db: Kysely<Schema>, principalId: PrincipalId): Promise<ServicePrincipalSecretRow[]> {
  const rows = await db
    .selectFrom('service_principal_secret')
    .select(['id', 'hint', 'created_at', 'expires_at', 'last_used_at'])
    .where('principal_id', '=', principalId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    hint: row.hint,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  }))
}

/** Returns whether there was such a secret. */
export async function deleteSecret(db: Kysely<Schema>, principalId: PrincipalId, id: string): Promise<boolean> {
  const deleted = await db
    .deleteFrom('service_principal_secret')
    .where('principal_id', '=', principalId)
    .where('id', '=', id)
    .executeTakeFirst()
  return deleted.numDeletedRows > 0n
}

/** Hashes of the secrets of a client id that are good at `now`, whatever became of the service principal meanwhile. */
export async function readLiveSecretHashes(db: Kysely<Schema>, clientId: string, now: Date): Promise<LiveSecretHash[]> {
  const rows = await db
    .selectFrom('service_principal_secret as secret')
    .innerJoin('service_principal', 'service_principal.principal_id', 'secret.principal_id')
    .select(['secret.id', 'secret.principal_id', 'secret.secret_hash', 'secret.last_used_at'])
    .where('service_principal.client_id', '=', clientId)
    .where((row) => row.or([row('secret.expires_at', 'is', null), row('secret.expires_at', '>', now)]))
    .execute()
  return rows.map((row) => ({
    id: row.id,
    principalId: row.principal_id,
    hash: row.secret_hash,
    lastUsedAt: row.last_used_at,
  }))
}

/** Notes a use, unless one was noted after `notSince`: many uses in a minute are one write. */
export async function touchSecret(db: Kysely<Schema>, id: string, now: Date, notSince: Date): Promise<void> {
  await db
    .updateTable('service_principal_secret')
    .set({ last_used_at: now })
    .where('id', '=', id)
    .where((row) => row.or([row('last_used_at', 'is', null), row('last_used_at', '<', notSince)]))
    .execute()
}
