import type { AuditReason } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { verifyPassword } from '../crypto/password-hash.ts'
import { findPrincipals, readPasswordHash } from '../store/principals.ts'
import { readSignInWays } from '../store/sign-in-ways.ts'
import type { Store } from '../store/store.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'

/** Who signed in, or that nobody did. The reason is for the audit record: a client reads one sentence for all of them. */
export type SignIn = { readonly ok: true; readonly principalId: PrincipalId } | { readonly ok: false }

/**
 * Signs a person in with e-mail and password. An unknown e-mail takes as long as a wrong password, and where the workspace signs
 * in by its identity provider alone, every password is wrong. Every outcome is audited.
 * @throws PosternError RATE_LIMITED
 */
export async function signInWithPassword(
  deps: { readonly store: Store; readonly throttle: SignInThrottle },
  attempt: {
    readonly workspaceId: WorkspaceId
    readonly email: string
    readonly password: Secret
    readonly peer: string
    readonly requestId: string
  },
): Promise<SignIn> {
  const { workspaceId, email, password, peer, requestId } = attempt
  await deps.throttle.begin(peer, email)
  const { db } = deps.store
  const isRight = await verifyPassword(await readPasswordHash(db, email), password)
  const [user] = isRight ? await findPrincipals(db, workspaceId, { email }) : []
  const { isPasswordOffered } = await readSignInWays(db, workspaceId)
  const reason = isPasswordOffered ? denialReason(isRight, user) : 'PASSWORD_NOT_OFFERED'
  await recordAudit(db, {
    action: 'signIn',
    outcome: reason === null ? 'allowed' : 'denied',
    reason,
    workspaceId,
    actorId: user?.id ?? null,
    actorName: user?.name ?? email.slice(0, 254),
    peer,
    requestId,
    detail: { method: 'password' },
  })
  if (reason !== null || user === undefined) return { ok: false }
  await deps.throttle.succeeded(peer, email)
  return { ok: true, principalId: user.id }
}

function denialReason(
  isRight: boolean,
  user: { readonly active: boolean; readonly workspaceRole: string | null } | undefined,
): AuditReason | null {
  if (!isRight || user === undefined) return 'WRONG_PASSWORD'
  if (!user.active) return 'PRINCIPAL_INACTIVE'
  return user.workspaceRole === null ? 'NOT_IN_WORKSPACE' : null
}
