import type { Kysely } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { Schema } from '../store/schema.ts'
import { insertSigningKey, listSigningKeys, lockSigningKeys, notifySigningKeys } from '../store/signing-keys.ts'
import { newSigningKey, signingKeyPurposes } from './stored-signing-key.ts'

/**
 * Gives a workspace the signing keys that it lacks; they sign at once. Harmless when it has them all, and when several nodes call it
 * at the same time.
 * @param db the transaction that creates the workspace, so that no workspace is ever seen without keys
 */
export async function ensureSigningKeys(
  db: Kysely<Schema>,
  masterKey: MasterKey,
  clock: Clock,
  workspaceId: WorkspaceId,
): Promise<void> {
  await lockSigningKeys(db, workspaceId)
  const keys = await listSigningKeys(db, workspaceId)
  const missing = signingKeyPurposes.filter((purpose) => !keys.some((key) => key.purpose === purpose))
  if (missing.length === 0) return
  const created = missing.map((purpose) => newSigningKey(masterKey, workspaceId, purpose, clock.now()))
  for (const key of created) await insertSigningKey(db, key)
  await recordAudit(db, {
    action: 'key.create',
    outcome: 'allowed',
    workspaceId,
    targetType: 'key',
    detail: { keys: created.map((key) => key.id) },
  })
  await notifySigningKeys(db, workspaceId)
}
