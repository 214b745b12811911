import * as oidc from 'openid-client'
import type { Clock } from '../../base/clock.ts'
import { PosternError } from '../../base/errors.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import type { DialerDependencies } from '../../dialer/dial.ts'
import { issuerFetch } from '../issuers/issuer-http.ts'
import { isLoopbackUrl } from '../issuers/issuer-url.ts'
import { openClientSecret, type SsoProvider } from './sso-providers.ts'

/** What the issuer says of itself, and its keys, are asked for again after this time. */
const FRESH_FOR_MS = 10 * 60_000
const MAX_CLIENTS = 256
const TIMEOUT_SECONDS = 5

/** The secrets of one round trip to an issuer: all made from one that only the browser has. */
export interface RoundTrip {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** What an issuer said of somebody, after every check of OpenID Connect. */
export interface VerifiedClaims {
  readonly subject: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** How a round trip ended: with claims, or with the issuer's refusal by one of the codes of RFC 6749. */
export type RoundTripOutcome = VerifiedClaims | { readonly refusal: string }

/** Postern as a client of issuers: discovery, the code flow with PKCE, and the checks of ID tokens. */
export class SsoClients {
  readonly #deps: { readonly clock: Clock; readonly masterKey: MasterKey; readonly dialer: DialerDependencies }
  readonly #known = new Map<string, { readonly discovered: Promise<oidc.Configuration>; readonly atMs: number }>()

  constructor(deps: { readonly clock: Clock; readonly masterKey: MasterKey; readonly dialer: DialerDependencies }) {
    this.#deps = deps
  }

  /**
   * Where to send the browser.
   * @throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID
   */
  async authorizationUrl(provider: SsoProvider, redirectUri: string, trip: RoundTrip): Promise<URL> {
    const client = await this.#clientOf(provider)
    try {
      return oidc.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope: provider.scopes.join(' '),
        state: trip.state,
        nonce: trip.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(trip.codeVerifier),
        code_challenge_method: 'S256',
      })
    } catch (thrown) {
      throw asProviderFailure(provider, thrown)
    }
  }

  /**
   * Exchanges the code that the browser brought back, and checks the ID token: signature by the issuer's keys, issuer, audience,
   * nonce, times. An `iss` in the answer must be the issuer's (RFC 9207): a code of another one is not sent to it.
   *
   * @param callbackUrl the address that the browser came back to, with its query
   * @throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID
   */
  async finish(provider: SsoProvider, callbackUrl: URL, trip: RoundTrip): Promise<RoundTripOutcome> {
    const client = await this.#clientOf(provider)
    try {
      const tokens = await oidc.authorizationCodeGrant(client, callbackUrl, {
        pkceCodeVerifier: trip.codeVerifier,
        expectedState: trip.state,
        expectedNonce: trip.nonce,
        idTokenExpected: true,
      })
      const idToken = tokens.claims()!
      const lacks = [provider.emailClaim, ...(provider.groupsClaim === null ? [] : [provider.groupsClaim])].some(
        (claim) => idToken[claim] === undefined,
      )
      const userInfo =
        lacks && client.serverMetadata().userinfo_endpoint !== undefined
          ? await oidc.fetchUserInfo(client, tokens.access_token, idToken.sub)
          : {}
      return { subject: idToken.sub, claims: { ...userInfo, ...idToken } }
    } catch (thrown) {
      if (thrown instanceof oidc.AuthorizationResponseError) return { refusal: thrown.error }
      throw asProviderFailure(provider, thrown)
    }
  }

  async #clientOf(provider: SsoProvider): Promise<oidc.Configuration> {
    const { id, issuerCa, clientId, clientSecretSealed } = provider
    const version = JSON.stringify([id, issuerCa, clientId, clientSecretSealed?.toString('base64') ?? null])
    const nowMs = this.#deps.clock.now().getTime()
    const known = this.#known.get(version)
    if (known !== undefined && nowMs - known.atMs < FRESH_FOR_MS) return known.discovered
    const discovered = this.#discover(provider)
    this.#known.delete(version)
    this.#known.set(version, { discovered, atMs: nowMs })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_CLIENTS) break
      this.#known.delete(oldest)
    }
    try {
      return await discovered
    } catch (thrown) {
      if (this.#known.get(version)?.discovered === discovered) this.#known.delete(version)
      throw thrown
    }
  }

  async #discover(provider: SsoProvider): Promise<oidc.Configuration> {
    const issuerUrl = new URL(provider.issuer)
    const get = issuerFetch(this.#deps.dialer, provider)
    const fetch: oidc.CustomFetch = (url, { method, headers, body, signal }) =>
      get(url, { method, headers, body: textOfBody(body), ...(signal && { signal }) })
    const prepare = isLoopbackUrl(issuerUrl)
      ? [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]
      : [oidc.enableNonRepudiationChecks]
    let found: oidc.Configuration
    try {
      found = await oidc.discovery(issuerUrl, provider.clientId, undefined, oidc.None(), {
        [oidc.customFetch]: fetch,
        execute: isLoopbackUrl(issuerUrl) ? [oidc.allowInsecureRequests] : [],
        timeout: TIMEOUT_SECONDS,
      })
    } catch (thrown) {
      throw asProviderFailure(provider, thrown)
    }
    const server = found.serverMetadata()
    if (server.issuer !== provider.issuer) {
      throw new PosternError(
        'IDENTITY_PROVIDER_INVALID',
        `The discovery document of '${provider.name}' names the issuer ${server.issuer}, not ${provider.issuer}`,
      )
    }
    const secret = openClientSecret(this.#deps, provider)
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const authentication =
      secret === undefined
        ? oidc.None()
        : methods.includes('client_secret_basic')
          ? oidc.ClientSecretBasic(secret.reveal())
          : oidc.ClientSecretPost(secret.reveal())
    const client = new oidc.Configuration(server, provider.clientId, undefined, authentication)
    client[oidc.customFetch] = fetch
    client.timeout = TIMEOUT_SECONDS
    for (const step of prepare) step(client)
    return client
  }
}

/** Requests of openid-client are forms and texts; nothing else is sent to an issuer. */
function textOfBody(body: oidc.FetchBody): string | undefined {
  if (body instanceof URLSearchParams) return body.toString()
  return typeof body === 'string' ? body : undefined
}

/** Its own texts are for developers: people read which provider it was, and the log has the rest. */
function asProviderFailure(provider: SsoProvider, thrown: unknown): PosternError {
  for (let cause = thrown, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof PosternError) return cause
  }
  const isRefused = thrown instanceof oidc.ResponseBodyError
  const why = isRefused ? `refused Postern: ${thrown.error}` : 'gave an answer that is not accepted'
  return new PosternError('IDENTITY_PROVIDER_INVALID', `The identity provider '${provider.name}' ${why}`, {
    cause: thrown,
  })
}
