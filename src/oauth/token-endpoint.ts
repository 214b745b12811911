import type { KoaContextWithOIDC } from 'oidc-provider'
import type { AuditReason } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Store } from '../store/store.ts'
import { translateStoreError } from '../store/constraint-errors.ts'
import type { PrincipalAccount } from './account.ts'
import type { CallerOf } from './caller.ts'
import { principalIdProperty } from './clients.ts'
import { type OauthErrorBody, oauthError } from './oauth-error.ts'
import { oauthPaths } from './provider-configuration.ts'
import { isTokenExchange } from './token-exchange-grant.ts'
import type { TokenLimits } from './token-limits.ts'

/** Set on a request that showed a code or refresh token for the second time: its whole grant has ended. */
export const reuseMark = 'postern.reuse'

/**
 * What surrounds oidc-provider's token endpoint: the limit of failures per address, the audit record written before the answer
 * is sent, and the error sentence that real clients know.
 */
export function aroundTokenEndpoint(deps: {
  readonly store: Store
  readonly limits: TokenLimits
  readonly callerOf: CallerOf
  readonly workspaceId: WorkspaceId
}) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (ctx.path !== oauthPaths.token || ctx.method !== 'POST') return next()
    const { peer } = deps.callerOf(ctx.req)
    try {
      await deps.limits.beginRequest(peer)
      await next()
      if (ctx.status === 200 || ctx.status >= 500 || isPending(ctx)) await deps.limits.requestForgiven(peer)
      await auditAnswer(deps, ctx)
    } catch (thrown) {
      answerFailure(ctx, thrown)
    }
    const body = ctx.body as Partial<OauthErrorBody>
    const sentence = knownSentence(body.error, (ctx.oidc as KoaContextWithOIDC['oidc'] | undefined)?.params?.grant_type)
    if (sentence !== undefined) ctx.body = { ...body, error_description: sentence }
  }
}

/** What real clients look for, to the letter. */
function knownSentence(error: string | undefined, grantType: unknown): string | undefined {
  if (error === 'invalid_client') return 'Client authentication failed'
  if (error === 'invalid_grant' && grantType === 'refresh_token') return 'Refresh token is invalid'
  return undefined
}

/** A device asks every few seconds whether its code was confirmed: that is no failure. */
function isPending({ body }: KoaContextWithOIDC): boolean {
  return (body as Partial<OauthErrorBody>).error === 'authorization_pending'
}

/**
 * Records who got an access token, which client failed to authenticate, and which code or refresh token was refused. Sign-ins
 * with a password and exchanges record themselves.
 */
async function auditAnswer(
  deps: { readonly store: Store; readonly callerOf: CallerOf; readonly workspaceId: WorkspaceId },
  ctx: KoaContextWithOIDC,
): Promise<void> {
  const { client, params, entities } = ctx.oidc
  const grantType = params?.grant_type
  const reason = refusal(ctx)
  if ((ctx.status !== 200 && reason === null) || grantType === 'password') return
  if (isTokenExchange(ctx) && ctx.status !== 401) return
  const account = ctx.oidc.account as PrincipalAccount | undefined
  const shown = entities.RefreshToken ?? entities.AuthorizationCode ?? entities.DeviceCode
  const machine = client?.[principalIdProperty] as PrincipalId | undefined
  await recordAudit(deps.store.db, {
    ...deps.callerOf(ctx.req),
    action: 'accessToken.issue',
    outcome: reason === null ? 'allowed' : 'denied',
    reason,
    workspaceId: deps.workspaceId,
    actorId: machine ?? ((account?.accountId ?? shown?.accountId ?? null) as PrincipalId | null),
    actorName: (machine === undefined ? account?.name : undefined) ?? client?.clientId ?? null,
    detail: machine === undefined && client !== undefined ? { clientId: client.clientId } : {},
  })
}

function refusal(ctx: KoaContextWithOIDC): AuditReason | null {
  const { error } = ctx.body as Partial<OauthErrorBody>
  if (ctx.status === 401) return 'INVALID_CLIENT'
  if (ctx.status !== 400 || error !== 'invalid_grant') return null
  return ctx.state[reuseMark] === true ? 'TOKEN_REUSED' : 'INVALID_GRANT'
}

function answerFailure(ctx: KoaContextWithOIDC, thrown: unknown): void {
  const error = asPosternError(translateStoreError(thrown))
  const { status, body } = oauthError(error)
  const seconds = error.detail?.retryAfterSeconds
  if (typeof seconds === 'number') ctx.set('Retry-After', String(seconds))
  if (error.code === 'INTERNAL') ctx.app.emit('error', thrown, ctx)
  ctx.status = status
  ctx.body = body
}
