import type { Account, Configuration, JWK, KoaContextWithOIDC, ResourceServer } from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { builtInClients, principalIdProperty } from './clients.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { signInPolicy } from './sign-in-policy.ts'

/** Lifetime of an access token, in seconds. Real clients of the compatible API expect an hour. */
const accessTokenLifetimeSeconds = 3600

/** The one scope there is: what the caller may do is decided by workspace role, at each request. */
export const accessTokenScope = 'all-apis'

/** Asks for a refresh token; without it there is none. */
export const offlineScope = 'offline_access'

/** What a person's access token may say: clients look there for whether they got a refresh token. */
const userScope = `${accessTokenScope} ${offlineScope}`

/** Paths below the issuer. */
export const oauthPaths = {
  token: '/v1/token',
  keys: '/v1/keys',
  authorization: '/v1/authorize',
  revocation: '/v1/revoke',
  introspection: '/v1/introspect',
  deviceAuthorization: '/v1/device/authorize',
  device: '/device',
  interaction: '/interaction',
  signOut: '/logout',
} as const

const minuteSeconds = 60
const hourSeconds = 3600
const daySeconds = 86_400

/** How long a browser stays signed in after it was last used here, in seconds. */
const sessionLifetimeSeconds = 12 * hourSeconds

/** What differs between the authorization servers of two workspaces. */
export interface ProviderParts {
  readonly workspaceId: WorkspaceId
  readonly adapter: Configuration['adapter']
  readonly cookieKeys: readonly string[]
  readonly signingJwk: JWK
  readonly isPasswordGrantOffered: boolean
  readonly issuer: string
  /** The principal behind an account id, while it is active and belongs to the workspace. */
  readonly findAccount: (principalId: string) => Promise<Account | undefined>
  readonly renderError: Configuration['renderError']
  readonly deviceFlow: DeviceFlowPages
}

/** The pages on which a person enters the code that a device shows. */
export type DeviceFlowPages = Required<
  Pick<
    NonNullable<NonNullable<Configuration['features']>['deviceFlow']>,
    'userCodeInputSource' | 'userCodeConfirmSource' | 'successSource'
  >
>

/** Configuration of an oidc-provider: what is offered is named here, everything else is switched off. */
export function providerConfiguration(module: OidcProviderModule, parts: ProviderParts): Configuration {
  const { errors } = module
  const resource = resourceOf(parts.workspaceId)
  return {
    adapter: parts.adapter,
    clients: builtInClients(parts.isPasswordGrantOffered),
    jwks: { keys: [parts.signingJwk] },
    cookies: {
      keys: [...parts.cookieKeys],
      // Browsers do not tell ports apart: two workspaces on one machine must not overwrite each other's.
      names: {
        session: `postern_${parts.workspaceId}_session`,
        interaction: `postern_${parts.workspaceId}_interaction`,
        resume: `postern_${parts.workspaceId}_resume`,
      },
      long: { httpOnly: true, sameSite: 'lax', signed: true },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    routes: {
      token: oauthPaths.token,
      jwks: oauthPaths.keys,
      authorization: oauthPaths.authorization,
      revocation: oauthPaths.revocation,
      introspection: oauthPaths.introspection,
      device_authorization: oauthPaths.deviceAuthorization,
      code_verification: oauthPaths.device,
    },
    scopes: [accessTokenScope, offlineScope],
    claims: {},
    responseTypes: ['code'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    clientDefaults: { id_token_signed_response_alg: 'ES256', grant_types: [], response_types: [] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    extraClientMetadata: { properties: [principalIdProperty] },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    findAccount: (_ctx, id) => parts.findAccount(id),
    renderError: parts.renderError,
    rotateRefreshToken: true,
    interactions: {
      policy: signInPolicy(module),
      url: (_ctx, interaction) => `${parts.issuer}${oauthPaths.interaction}/${interaction.uid}`,
    },
    // A grant of its own for every sign-in: what ends one, such as a stolen refresh token, leaves the others alone.
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId)
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', deviceInfo: () => ({}), ...parts.deviceFlow },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, requested) => {
          if (requested !== resource) throw new errors.InvalidTarget()
          requireScope(errors, ctx)
          const isMachine = ctx.oidc.params?.grant_type === 'client_credentials'
          return resourceServerOf(parts.workspaceId, isMachine ? accessTokenScope : userScope)
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
      // A sign-in ends after this time, however often it is refreshed.
      Grant: 90 * daySeconds,
      IdToken: accessTokenLifetimeSeconds,
      Interaction: hourSeconds,
      // Unused for so long, it ends.
      RefreshToken: 14 * daySeconds,
      Session: (_ctx, session) => (session.accountId === undefined ? hourSeconds : sessionLifetimeSeconds),
    },
  }
}

/** Resource indicator (RFC 8707) of a workspace's API. */
export function resourceOf(workspaceId: WorkspaceId): string {
  return `urn:postern:workspace:${workspaceId}`
}

/** The API of a workspace as oidc-provider describes it: tokens for it are JWTs whose audience is the workspace's id. */
export function resourceServerOf(workspaceId: WorkspaceId, scope: string = accessTokenScope): ResourceServer {
  return {
    scope,
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
