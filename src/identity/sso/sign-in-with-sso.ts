import { type AuditReason, auditReason } from '../../audit/audit-record.ts'
import { recordAudit } from '../../audit/record-audit.ts'
import type { Clock } from '../../base/clock.ts'
import { PosternError } from '../../base/errors.ts'
import type { PrincipalId } from '../../base/ids.ts'
import { withStoreErrors } from '../../store/constraint-errors.ts'
import { findPrincipals } from '../../store/principals.ts'
import { findSsoIdentity, insertSsoIdentity, listSsoPrincipals, touchSsoIdentity } from '../../store/sso-providers.ts'
import type { Store } from '../../store/store.ts'
import type { Actor } from '../actor.ts'
import { createUser } from '../create-user.ts'
import { listEntries } from '../principal-directory.ts'
import { assignToWorkspace } from '../workspace-assignments.ts'
import { believedEmail } from './believed-email.ts'
import { applyGroupsClaim } from './groups-claim.ts'
import type { VerifiedClaims } from './sso-client.ts'
import type { SsoProvider } from './sso-providers.ts'

/** Why somebody whom the issuer vouches for does not get in. */
export type SsoDenial =
  | 'no-believed-email'
  | 'unknown-user'
  | 'user-of-another-workspace'
  | 'email-of-another'
  | 'inactive'
  | 'not-in-workspace'

export type SsoSignIn =
  { readonly ok: true; readonly principalId: PrincipalId } | { readonly ok: false; readonly reason: SsoDenial }

/**
 * Turns what an issuer said of somebody into a user of the workspace: by (issuer, subject) once he was here, before that by an
 * e-mail address that is believed. Creates the user where the provider says so, and brings his groups in step with the claim.
 * Every outcome is audited.
 */
export async function signInWithSso(
  deps: { readonly store: Store; readonly clock: Clock },
  provider: SsoProvider,
  { subject, claims }: VerifiedClaims,
  caller: { readonly peer: string; readonly requestId: string },
): Promise<SsoSignIn> {
  const { db } = deps.store
  const actor = actorOfProvider(provider, caller)
  const known = await withStoreErrors(findSsoIdentity(db, provider.id, subject))
  const found = known === undefined ? await linkByEmail(deps, actor, provider, subject, claims) : { principalId: known }
  const signIn = 'reason' in found ? found : await admit(deps, provider, found.principalId)
  if (signIn.ok) {
    await touchSsoIdentity(db, provider.id, subject, deps.clock.now())
    if (provider.groupsClaim !== null) {
      await applyGroupsClaim(deps, actor, provider, signIn.principalId, claims[provider.groupsClaim])
    }
  }
  await recordAudit(db, {
    ...caller,
    action: 'signIn',
    outcome: signIn.ok ? 'allowed' : 'denied',
    reason: signIn.ok ? null : reasonOf(signIn.reason),
    workspaceId: provider.workspaceId,
    actorId: 'principalId' in found ? found.principalId : null,
    actorName: textOf(claims[provider.emailClaim])?.slice(0, 254) ?? null,
    detail: { method: 'sso', ssoProvider: provider.name, subject: subject.slice(0, 255) },
  })
  return signIn
}

/** A user is believed to be the one of an e-mail address once; from then on his subject is what counts. */
async function linkByEmail(
  deps: { readonly store: Store },
  actor: Actor,
  provider: SsoProvider,
  subject: string,
  claims: VerifiedClaims['claims'],
): Promise<{ readonly principalId: PrincipalId } | (SsoSignIn & { readonly ok: false })> {
  const email = believedEmail(provider, claims)
  if (email === undefined) return { ok: false, reason: 'no-believed-email' }
  const { db } = deps.store
  const [user] = await withStoreErrors(findPrincipals(db, provider.workspaceId, { email }))
  const isHere = user !== undefined && user.workspaceRole !== null
  if (!isHere && !provider.createsUsers) return { ok: false, reason: 'unknown-user' }
  const isOwn =
    user !== undefined && (await listEntries(deps, provider.workspaceId, { id: user.id }, { limit: 1 })).length > 0
  // Where he was made somebody can set his password, so a person has to decide that he comes in.
  if (user !== undefined && !isHere && !isOwn) return { ok: false, reason: 'user-of-another-workspace' }
  if (user !== undefined && (await listSsoPrincipals(db, provider.id)).includes(user.id)) {
    return { ok: false, reason: 'email-of-another' }
  }
  const principalId = user?.id ?? (await create(deps, actor, provider, email, claims))
  if (user !== undefined && !isHere) await assignToWorkspace(deps, actor, { id: user.id }, 'member')
  await db.transaction().execute(async (transaction) => {
    const isLinked = await insertSsoIdentity(transaction, { providerId: provider.id, subject, principalId })
    if (!isLinked) return
    await recordAudit(transaction, {
      peer: actor.peer,
      requestId: actor.requestId,
      workspaceId: provider.workspaceId,
      action: 'ssoIdentity.link',
      outcome: 'allowed',
      actorId: principalId,
      actorName: email,
      targetType: 'principal',
      targetId: principalId,
      targetName: email,
      detail: { ssoProvider: provider.name, issuer: provider.issuer, subject: subject.slice(0, 255) },
    })
  })
  // Somebody else may have been faster: what stands there now counts.
  const linked = await findSsoIdentity(db, provider.id, subject)
  return linked === undefined ? { ok: false, reason: 'email-of-another' } : { principalId: linked }
}

async function create(
  deps: { readonly store: Store },
  actor: Actor,
  provider: SsoProvider,
  email: string,
  claims: VerifiedClaims['claims'],
): Promise<PrincipalId> {
  const displayName = textOf(claims[provider.nameClaim])?.trim().slice(0, 255) || undefined
  try {
    return (await createUser(deps, actor, { email, displayName, workspaceRole: 'member' })).id
  } catch (thrown) {
    // Two first sign-ins at once: one of them made him.
    const isMade = thrown instanceof PosternError && thrown.code === 'ALREADY_EXISTS'
    const [user] = isMade ? await findPrincipals(deps.store.db, provider.workspaceId, { email }) : []
    if (user === undefined) throw thrown
    return user.id
  }
}

async function admit(deps: { readonly store: Store }, provider: SsoProvider, id: PrincipalId): Promise<SsoSignIn> {
  const [user] = await withStoreErrors(findPrincipals(deps.store.db, provider.workspaceId, { id }))
  if (user?.active !== true) return { ok: false, reason: 'inactive' }
  return user.workspaceRole === null ? { ok: false, reason: 'not-in-workspace' } : { ok: true, principalId: id }
}

/** Changes that a sign-in makes are the provider's: no user asked for them. */
function actorOfProvider(provider: SsoProvider, caller: { readonly peer: string; readonly requestId: string }): Actor {
  return {
    ...caller,
    principalId: '0' as PrincipalId,
    kind: 'service_principal',
    name: `SSO provider '${provider.name}'`,
    workspaceId: provider.workspaceId,
    workspaceRole: 'admin',
  }
}

function reasonOf(reason: SsoDenial): AuditReason {
  return reason === 'inactive' ? 'PRINCIPAL_INACTIVE' : auditReason(reason)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
