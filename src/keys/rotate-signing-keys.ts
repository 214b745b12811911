import type { Kysely } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import {
  deleteSigningKey,
  insertSigningKey,
  listSigningKeys,
  lockSigningKeys,
  notifySigningKeys,
  setVerifyUntil,
  type SigningKeyRow,
} from '../store/signing-keys.ts'
import type { Schema } from '../store/schema.ts'
import { newSigningKey, signingKeyPurposes } from './stored-signing-key.ts'

/** A new key is published this long before it signs: longer than anybody caches the key set. */
const PUBLISHED_AHEAD_MS = 10 * 60 * 1000
/** An old key verifies this long after it stopped signing: the hour that a token lives, and five minutes for clocks. */
const KEPT_MS = 65 * 60 * 1000

/** Who asks for a rotation, for the audit record. */
export interface RotationActor {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly name: string
  readonly requestId: string
  readonly peer: string
}

/**
 * Makes new signing keys for a workspace, for access tokens and for database credentials. They sign in ten minutes; what the old
 * ones signed is believed until it expires. Keys whose time is over are deleted. The caller has authorized the actor.
 *
 * @returns when the new keys take over
 * @throws PosternError ALREADY_EXISTS when new keys are published already and have not taken over yet
 */
export async function rotateSigningKeys(
  deps: { readonly store: { readonly db: Kysely<Schema> }; readonly masterKey: MasterKey; readonly clock: Clock },
  actor: RotationActor,
): Promise<Date> {
  const { workspaceId } = actor
  return deps.store.db.transaction().execute(async (db) => {
    await lockSigningKeys(db, workspaceId)
    const now = deps.clock.now()
    const keys = await listSigningKeys(db, workspaceId)
    const pending = keys.find((key) => key.activeFrom > now)
    if (pending !== undefined) throw alreadyPending(pending)

    const activeFrom = new Date(now.getTime() + PUBLISHED_AHEAD_MS)
    const created = signingKeyPurposes.map((purpose) => newSigningKey(deps.masterKey, workspaceId, purpose, activeFrom))
    for (const key of created) await insertSigningKey(db, key)
    for (const key of keys) {
      if (key.verifyUntil === null) await setVerifyUntil(db, key.id, new Date(activeFrom.getTime() + KEPT_MS))
      else if (key.verifyUntil <= now) await deleteSigningKey(db, key.id)
    }
    await recordAudit(db, {
      action: 'key.rotate',
      outcome: 'allowed',
      workspaceId,
      occurredAt: now,
      actorId: actor.principalId,
      actorName: actor.name,
      requestId: actor.requestId,
      peer: actor.peer,
      targetType: 'key',
      detail: { keys: created.map((key) => key.id), activeFrom: activeFrom.toISOString() },
    })
    await notifySigningKeys(db, workspaceId)
    return activeFrom
  })
}

function alreadyPending(key: SigningKeyRow): PosternError {
  const takeover = key.activeFrom.toISOString()
  return new PosternError(
    'ALREADY_EXISTS',
    `A rotation is under way already: the next signing keys take over at ${takeover}`,
    {
      hint: 'Wait until then before you rotate again.',
      detail: { keyId: key.id },
    },
  )
}
