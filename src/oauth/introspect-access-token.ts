import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { WorkspaceId } from '../base/ids.ts'
import { verifyJwt } from '../crypto/jwt.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import type { Store } from '../store/store.ts'
import { findPrincipalAccount } from './account.ts'
import { principalIdProperty } from './clients.ts'
import type { Middleware } from './interactions/interaction-dependencies.ts'
import { oauthPaths } from './provider-configuration.ts'

/** Media type of an access token (RFC 9068 section 2.1). */
const accessTokenType = 'at+jwt'

interface IntrospectionDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly signingKeys: SigningKeys
}

/**
 * Answers for access tokens at the introspection endpoint (RFC 7662): oidc-provider, which has authenticated the client by
 * then, refuses to look at JWTs. A service principal may ask about any access token of the workspace that it holds, a public
 * client about those that were issued to it. A token of a principal that is deactivated is inactive, as it is at the API.
 */
export function answerForAccessTokens(
  deps: IntrospectionDependencies,
  issuer: string,
  workspaceId: WorkspaceId,
): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.path !== oauthPaths.introspection || ctx.method !== 'POST') return
    const { error } = ctx.body as { readonly error?: string }
    const token = ctx.oidc.params?.token
    if (error !== 'unsupported_token_type' || typeof token !== 'string') return
    ctx.status = 200
    ctx.body = await introspect(deps, ctx, { issuer, workspaceId, token })
  }
}

async function introspect(
  deps: IntrospectionDependencies,
  { oidc: { client } }: KoaContextWithOIDC,
  {
    issuer,
    workspaceId,
    token,
  }: { readonly issuer: string; readonly workspaceId: WorkspaceId; readonly token: string },
): Promise<object> {
  const findKey = (kid: string) => {
    const key = deps.signingKeys.find(kid, 'access_token')
    return key?.workspaceId === workspaceId ? key.publicKey : undefined
  }
  const outcome = verifyJwt(token, accessTokenType, findKey, deps.clock.now())
  if (!outcome.ok || outcome.claims.iss !== issuer) return { active: false }
  const { iss, aud, sub, exp, iat, jti, client_id: clientId, scope } = outcome.claims as Record<string, unknown>
  const mayAsk = client?.[principalIdProperty] !== undefined || client?.clientId === clientId
  if (!mayAsk || typeof sub !== 'string' || ![aud].flat().includes(workspaceId)) return { active: false }
  const account = await findPrincipalAccount(deps, workspaceId, sub)
  if (account === undefined) return { active: false }
  const about = { iss, aud, sub, username: account.name, client_id: clientId, scope, exp, iat, jti }
  return { active: true, token_type: 'Bearer', ...about }
}
