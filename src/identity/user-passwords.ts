import type { Transaction } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { hashPassword, verifyPassword } from '../crypto/password-hash.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { endSignIns } from '../store/end-sign-ins.ts'
import {
  deletePasswordReset,
  putPasswordReset,
  readPasswordHashOf,
  setPasswordHash,
  takePasswordReset,
} from '../store/password-resets.ts'
import { findPrincipals } from '../store/principals.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { checkPassword } from './check-password.ts'
import { generateResetSecret, hashResetSecret } from './reset-secret.ts'
import { findEntry, requireOwn } from './principal-directory.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'

const resetLifetimeMs = 24 * 3600 * 1000

/**
 * Sets the password of a user, as an administrator. Where he is signed in ends.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED | INVALID_ARGUMENT
 */
export async function setUserPassword(
  deps: { readonly store: Store },
  actor: Actor,
  id: PrincipalId,
  password: Secret,
): Promise<void> {
  const user = await findEntry(deps, actor.workspaceId, 'user', id)
  requireOwn(actor, user)
  checkPassword(password, user.name)
  await replacePassword(deps, id, password, async (db) => {
    await recordAudit(db, { ...actorAudit(actor), ...aboutUser(user), action: 'user.setPassword', outcome: 'allowed' })
  })
}

/**
 * Changes the actor's own password. Guesses of the old one are slowed down like those at a sign-in.
 * @throws PosternError PERMISSION_DENIED where the old one is wrong, or the actor has none | INVALID_ARGUMENT | RATE_LIMITED
 */
export async function changeOwnPassword(
  deps: { readonly store: Store; readonly throttle: SignInThrottle },
  actor: Actor,
  input: { readonly oldPassword: Secret; readonly newPassword: Secret },
): Promise<void> {
  checkPassword(input.newPassword, actor.name)
  await deps.throttle.begin(actor.peer, actor.name)
  const stored = await readPasswordHashOf(deps.store.db, actor.principalId)
  const isRight = await verifyPassword(stored, input.oldPassword)
  const entry = { ...actorAudit(actor), ...aboutUser({ id: actor.principalId, name: actor.name }) }
  if (!isRight) {
    await recordAudit(deps.store.db, {
      ...entry,
      action: 'user.changePassword',
      outcome: 'denied',
      reason: 'WRONG_PASSWORD',
    })
    throw new PosternError('PERMISSION_DENIED', 'The old password is wrong', {
      hint: 'Enter the password that you sign in with, or ask a Workspace Admin to reset it.',
    })
  }
  await replacePassword(deps, actor.principalId, input.newPassword, async (db) => {
    await recordAudit(db, { ...entry, action: 'user.changePassword', outcome: 'allowed' })
  })
  await deps.throttle.succeeded(actor.peer, actor.name)
}

/**
 * Makes a reset secret, with which whoever has it sets the password of a user once within a day. It is in the answer and nowhere else;
 * an earlier one of the user is worthless from now on. The present password stays until then.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED
 */
export async function createPasswordReset(
  deps: { readonly store: Store; readonly clock: Clock },
  actor: Actor,
  id: PrincipalId,
): Promise<{ readonly secret: Secret; readonly expiresAt: Date }> {
  const user = await findEntry(deps, actor.workspaceId, 'user', id)
  requireOwn(actor, user)
  const secret = generateResetSecret()
  const expiresAt = new Date(deps.clock.now().getTime() + resetLifetimeMs)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await putPasswordReset(db, { principalId: id, hash: hashResetSecret(secret), expiresAt })
      await recordAudit(db, {
        ...actorAudit(actor),
        ...aboutUser(user),
        action: 'user.resetPassword',
        outcome: 'allowed',
        detail: { expiresAt: expiresAt.toISOString() },
      })
    }),
  )
  return { secret, expiresAt }
}

/**
 * Sets a password with a reset secret, which is used up by it. Nobody is signed in yet, so attempts are limited by address.
 * @throws PosternError PERMISSION_DENIED for a secret that is wrong, used or expired, or whose user is deactivated: one sentence for all
 *   | INVALID_ARGUMENT for the new password | RATE_LIMITED
 */
export async function redeemPasswordReset(
  deps: { readonly store: Store; readonly clock: Clock; readonly throttle: SignInThrottle },
  attempt: {
    readonly workspaceId: WorkspaceId
    readonly secret: Secret
    readonly newPassword: Secret
    readonly peer: string
    readonly requestId: string
  },
): Promise<void> {
  const { workspaceId, secret, newPassword, peer, requestId } = attempt
  checkPassword(newPassword, null)
  const hash = hashResetSecret(secret)
  await deps.throttle.begin(peer, hash.toString('base64url'))
  const passwordHash = await hashPassword(newPassword)
  const isSet = await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      const principalId = await takePasswordReset(db, hash, deps.clock.now())
      const [user] = principalId === undefined ? [] : await findPrincipals(db, workspaceId, { id: principalId })
      const isGood = user !== undefined && user.active
      if (isGood) {
        await setPasswordHash(db, user.id, passwordHash)
        await endSignIns(db, user.id)
      }
      await recordAudit(db, {
        action: 'user.redeemReset',
        outcome: isGood ? 'allowed' : 'denied',
        reason: isGood ? null : 'RESET_SECRET_INVALID',
        workspaceId,
        actorId: user?.id ?? null,
        actorName: user?.name ?? null,
        peer,
        requestId,
      })
      return isGood
    }),
  )
  if (!isSet) {
    throw new PosternError('PERMISSION_DENIED', 'The reset secret is wrong, used or expired', {
      hint: 'Ask a Workspace Admin for a new one.',
    })
  }
  await deps.throttle.succeeded(peer, hash.toString('base64url'))
}

async function replacePassword(
  deps: { readonly store: Store },
  id: PrincipalId,
  password: Secret,
  record: (db: Transaction<Schema>) => Promise<void>,
): Promise<void> {
  const passwordHash = await hashPassword(password)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await setPasswordHash(db, id, passwordHash)
      await deletePasswordReset(db, id)
      await endSignIns(db, id)
      await record(db)
    }),
  )
}

function aboutUser(user: { readonly id: PrincipalId; readonly name: string }) {
  return { targetType: 'principal', targetId: user.id, targetName: user.name } as const
}
