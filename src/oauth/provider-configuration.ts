import type { Configuration, JWK, KoaContextWithOIDC, ResourceServer } from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { commandLineClient, principalIdProperty } from './clients.ts'
import type { OidcProviderModule } from './load-provider.ts'

/** Lifetime of an access token, in seconds. Real clients of the compatible API expect an hour. */
const accessTokenLifetimeSeconds = 3600

/** The one scope there is: what the caller may do is decided by workspace role, at each request. */
export const accessTokenScope = 'all-apis'

/** Paths below the issuer. */
export const oauthPaths = {
  token: '/v1/token',
  keys: '/v1/keys',
  authorization: '/v1/authorize',
} as const

const minuteSeconds = 60
const daySeconds = 86_400

/** What differs between the authorization servers of two workspaces. */
export interface ProviderParts {
  readonly workspaceId: WorkspaceId
  readonly adapter: Configuration['adapter']
  readonly cookieKeys: readonly string[]
  readonly signingJwk: JWK
  readonly isPasswordGrantOffered: boolean
}

/** Configuration of an oidc-provider: what is offered is named here, everything else is switched off. */
export function providerConfiguration(errors: OidcProviderModule['errors'], parts: ProviderParts): Configuration {
  const resource = resourceOf(parts.workspaceId)
  return {
    adapter: parts.adapter,
    clients: parts.isPasswordGrantOffered ? [commandLineClient] : [],
    jwks: { keys: [parts.signingJwk] },
    cookies: {
      keys: [...parts.cookieKeys],
      long: { httpOnly: true, sameSite: 'lax', signed: true },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    routes: {
      token: oauthPaths.token,
      jwks: oauthPaths.keys,
      authorization: oauthPaths.authorization,
    },
    scopes: [accessTokenScope],
    claims: {},
    responseTypes: [],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    clientDefaults: { id_token_signed_response_alg: 'ES256', grant_types: [], response_types: [] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    extraClientMetadata: { properties: [principalIdProperty] },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    renderError: (ctx, out) => {
      ctx.type = 'application/json'
      ctx.body = out
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, requested) => {
          if (requested !== resource) throw new errors.InvalidTarget()
          requireScope(errors, ctx)
          return resourceServerOf(parts.workspaceId)
        },
      },
    },
    formats: {
      customizers: {
        // A client-credentials token has no account: its subject is the service principal that the client is.
        jwt: (_ctx, token, jwt) => {
          if (token.kind === 'ClientCredentials') jwt.payload.sub = token.client?.[principalIdProperty]
        },
      },
    },
    ttl: {
      AccessToken: accessTokenLifetimeSeconds,
      ClientCredentials: accessTokenLifetimeSeconds,
      AuthorizationCode: minuteSeconds,
      BackchannelAuthenticationRequest: 10 * minuteSeconds,
      DeviceCode: 10 * minuteSeconds,
      Grant: 14 * daySeconds,
      IdToken: accessTokenLifetimeSeconds,
      Interaction: 60 * minuteSeconds,
      RefreshToken: 14 * daySeconds,
      Session: 14 * daySeconds,
    },
  }
}

/** Resource indicator (RFC 8707) of a workspace's API. */
export function resourceOf(workspaceId: WorkspaceId): string {
  return `urn:postern:workspace:${workspaceId}`
}

/** The API of a workspace as oidc-provider describes it: tokens for it are JWTs whose audience is the workspace's id. */
export function resourceServerOf(workspaceId: WorkspaceId): ResourceServer {
  return {
    scope: accessTokenScope,
    audience: workspaceId,
    accessTokenTTL: accessTokenLifetimeSeconds,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  }
}

/**
 * Holds a request to the one scope: asked for nothing, it means that one; asked for other scopes only, it is refused rather
 * than answered with more than was asked for.
 */
export function requireScope(errors: OidcProviderModule['errors'], ctx: KoaContextWithOIDC): void {
  const params = ctx.oidc.params
  if (params === undefined) return
  params.scope ??= accessTokenScope
  if (!String(params.scope).split(' ').includes(accessTokenScope)) {
    throw new errors.InvalidScope(`the only scope offered is ${accessTokenScope}`, String(params.scope))
  }
}
