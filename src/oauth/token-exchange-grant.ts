import type Provider from 'oidc-provider'
import type { ClientMetadata, KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { exchangeSubjectToken } from '../identity/federation/exchange-subject-token.ts'
import type { IssuerKeys } from '../identity/issuers/issuer-keys.ts'
import type { Store } from '../store/store.ts'
import type { CallerOf } from './caller.ts'
import { principalIdProperty } from './clients.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { accessTokenScope, oauthPaths, requireScope, resourceOf, resourceServerOf } from './provider-configuration.ts'
import { throwingOauthErrors } from './throwing-oauth-errors.ts'

const tokenExchangeGrantType = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** RFC 8693 section 3. An ID token is a JWT; CI systems send either name. */
const jwtTokenTypes = new Set(['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'])
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/**
 * Adds the token exchange: a token of an issuer that a service principal's federation policies name becomes an access token of
 * this service principal. The request names it by `client_id` and brings no secret.
 * @see RFC 8693
 */
export function addTokenExchangeGrant(
  { errors }: OidcProviderModule,
  provider: Provider,
  deps: {
    readonly store: Store
    readonly clock: Clock
    readonly issuerKeys: IssuerKeys
    readonly callerOf: CallerOf
  },
  workspaceId: WorkspaceId,
): void {
  provider.registerGrantType<Partial<Record<(typeof parameters)[number], string>>>(
    tokenExchangeGrantType,
    async (ctx) => {
      const { subject_token: subjectToken, subject_token_type: type, requested_token_type: requested } = ctx.oidc.params
      if (!subjectToken) throw new errors.InvalidRequest('subject_token is required')
      if (!jwtTokenTypes.has(type ?? '')) {
        throw new errors.InvalidRequest(`subject_token_type must be one of ${[...jwtTokenTypes].join(', ')}`)
      }
      if (requested !== undefined && requested !== accessTokenType) {
        throw new errors.InvalidRequest(`requested_token_type must be ${accessTokenType}`)
      }
      if (ctx.oidc.params.actor_token !== undefined) throw new errors.InvalidRequest('actor_token is not offered')
      requireScope(errors, ctx)
      const { client } = ctx.oidc
      const exchange = exchangeSubjectToken(deps, {
        ...deps.callerOf(ctx.req),
        workspaceId,
        principalId: client[principalIdProperty] as PrincipalId,
        clientId: client.clientId,
        subjectToken,
        defaultAudience: provider.issuer + oauthPaths.token,
      })
      const outcome = await throwingOauthErrors(errors, ctx, exchange)
      // RFC 8693 section 2.2.2: invalid_request for a subject token that is not accepted for any reason.
      if (!outcome.ok) throw new errors.InvalidRequest(outcome.explanation)
      const token = new provider.ClientCredentials({ client, scope: accessTokenScope })
      token.resourceServer = new provider.ResourceServer(resourceOf(workspaceId), resourceServerOf(workspaceId))
      ctx.body = {
        access_token: await token.save(),
        issued_token_type: accessTokenType,
        token_type: token.tokenType,
        expires_in: token.expiration,
        scope: accessTokenScope,
      }
    },
    parameters,
  )
}

const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'scope'] as const

/** Whether a request asks for this exchange: its client then shows the foreign token, and no secret. */
export function isTokenExchange(ctx: KoaContextWithOIDC): boolean {
  return ctx.path === oauthPaths.token && ctx.oidc?.params?.grant_type === tokenExchangeGrantType
}

/** The same service principal as a client without a secret that may do this exchange and nothing else. */
export function asTokenExchangeClient(client: ClientMetadata): ClientMetadata {
  const { client_secret: _unused, ...rest } = client
  return { ...rest, token_endpoint_auth_method: 'none', grant_types: [tokenExchangeGrantType] }
}
