import type { KoaContextWithOIDC } from 'oidc-provider'
import type { InteractionDependencies } from './interaction-dependencies.ts'

/** Where the routes of sign-in by an identity provider are. */
export const ssoMountPath = '/login/sso'

const lifetimeMs = 3_600_000

/**
 * Marks the browser that sees a sign-in page, for the way by an identity provider: it comes back at another address, where the
 * cookie of the page does not come along. Without this, a link sent to somebody who is signed in at the identity provider
 * would sign the sender in as him.
 */
export function markBrowser(
  deps: Pick<InteractionDependencies, 'workspace'>,
  ctx: KoaContextWithOIDC,
  uid: string,
): void {
  const options = { path: ssoMountPath, httpOnly: true, sameSite: 'lax', signed: true, maxAge: lifetimeMs } as const
  ctx.cookies.set(cookieName(deps, uid), uid, { ...options, secure: ctx.secure })
}

/** Whether this browser saw the sign-in page. */
export function isMarkedBrowser(
  deps: Pick<InteractionDependencies, 'workspace'>,
  ctx: Pick<KoaContextWithOIDC, 'cookies'>,
  uid: string,
): boolean {
  return /^[\w-]{1,64}$/.test(uid) && ctx.cookies.get(cookieName(deps, uid), { signed: true }) === uid
}

function cookieName({ workspace }: Pick<InteractionDependencies, 'workspace'>, uid: string): string {
  return `postern_${workspace.id}_sso_${uid}`
}
