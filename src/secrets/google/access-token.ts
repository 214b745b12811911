import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DialerDependencies } from '../../dialer/dial.ts'
import { openHttp } from '../../dialer/open-http.ts'
import { parseObjectOrEmpty } from '../secret-json.ts'
import { readServiceAccountKey, signAssertion, type ServiceAccountKey } from './service-account.ts'

/** Where an assertion may be sent. `http:` only on this machine. A key that names another place would make Postern call it (and show it an assertion). */
export interface TokenEndpoint {
  readonly uri: string
  readonly host: string
  readonly port: number
  /** Authority of the endpoint's certificate; null means the public ones. */
  readonly tlsCa: string | null
}

/** Every `token_uri` that Google has put into keys. */
export const GOOGLE_TOKEN_ENDPOINTS: readonly TokenEndpoint[] = [
  'https://oauth2.googleapis.com/token',
  'https://accounts.google.com/o/oauth2/token',
  'https://www.googleapis.com/oauth2/v4/token',
].map((uri) => ({ uri, host: new URL(uri).hostname, port: 443, tlsCa: null }))

const MAX_ANSWER_BYTES = 64 * 1024
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** Asked for anew this long before it ends, so that no request carries one that ends under way. */
const EARLY_MS = 60_000

export interface AccessToken {
  readonly token: Secret
  readonly expiresAt: Date
}

export interface TokenRequest {
  readonly dialer: DialerDependencies
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Gives an access token that is still good for a while. */
export type AccessTokenSource = (request: TokenRequest) => Promise<Secret>

/** Keeps the token of `ask` until shortly before its end. */
export function keepToken(ask: (request: TokenRequest) => Promise<AccessToken>): AccessTokenSource {
  let kept: AccessToken | undefined
  return async (request) => {
    if (kept === undefined || kept.expiresAt.getTime() - EARLY_MS < Date.now()) kept = await ask(request)
    return kept.token
  }
}

/**
 * Trades the key of a service account for access tokens, at one of `endpoints` and by the dialer.
 * @throws PosternError INVALID_ARGUMENT for a key that cannot be used here or names another token endpoint; the source that
 *   comes back throws UPSTREAM_*
 */
export function serviceAccountTokens(
  json: Secret,
  scopes: readonly string[],
  endpoints: readonly TokenEndpoint[] = GOOGLE_TOKEN_ENDPOINTS,
): AccessTokenSource {
  const key = readServiceAccountKey(json)
  const endpoint = endpointOf(key, endpoints)
  return keepToken((request) => fetchToken(key, scopes, endpoint, request))
}

/**
 * One access token for the key of a service account, for whoever remembers it himself.
 * @throws PosternError INVALID_ARGUMENT as {@link serviceAccountTokens} | UPSTREAM_*
 */
export async function serviceAccountToken(
  json: Secret,
  scopes: readonly string[],
  endpoints: readonly TokenEndpoint[],
  request: TokenRequest,
): Promise<AccessToken> {
  const key = readServiceAccountKey(json)
  return fetchToken(key, scopes, endpointOf(key, endpoints), request)
}

function endpointOf(key: ServiceAccountKey, endpoints: readonly TokenEndpoint[]): TokenEndpoint {
  const endpoint = endpoints.find(({ uri }) => uri === key.tokenUri)
  if (endpoint !== undefined) return endpoint
  throw new PosternError(
    'INVALID_ARGUMENT',
    'serviceAccount names a token endpoint (token_uri) that is none of Google’s, so nothing is sent there',
    { detail: { field: 'serviceAccount', tokenUri: key.tokenUri } },
  )
}

async function fetchToken(
  key: ServiceAccountKey,
  scopes: readonly string[],
  endpoint: TokenEndpoint,
  request: TokenRequest,
): Promise<AccessToken> {
  const askedAt = new Date()
  const assertion = signAssertion(key, scopes, askedAt)
  const http = await openHttp(tokenRoute(endpoint), { ...request.dialer, secrets: {}, timeoutMs: request.timeoutMs })
  try {
    const answer = await http.request({
      method: 'POST',
      path: new URL(endpoint.uri).pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString(),
      signal: AbortSignal.any([AbortSignal.timeout(request.timeoutMs), ...(request.signal ? [request.signal] : [])]),
      maxResponseBytes: MAX_ANSWER_BYTES,
    })
    const chunks: Uint8Array[] = []
    for await (const chunk of answer.body) chunks.push(chunk)
    const fields = parseObjectOrEmpty(Buffer.concat(chunks))
    return readToken(answer.status, fields, askedAt, key)
  } finally {
    await http.close()
  }
}

function readToken(
  status: number,
  fields: Readonly<Record<string, unknown>>,
  askedAt: Date,
  key: ServiceAccountKey,
): AccessToken {
  const { access_token, expires_in, error } = fields
  if (status === 200 && typeof access_token === 'string' && typeof expires_in === 'number') {
    return { token: new Secret(access_token), expiresAt: new Date(askedAt.getTime() + expires_in * 1000) }
  }
  if (status === 400 || status === 401) {
    throw new PosternError('UPSTREAM_AUTH_FAILED', `Google refused the key of ${key.clientEmail}`, {
      hint: 'Check that the key was not deleted and the service account not disabled, and that the clock here is right.',
      detail: { status, error },
    })
  }
  throw new PosternError('UPSTREAM_FAILED', 'the token endpoint of Google did not give out an access token', {
    detail: { status, error },
  })
}

function tokenRoute(endpoint: TokenEndpoint): DataSourceRoute {
  return {
    ...PLAIN_ROUTE,
    engine: 'spanner',
    host: endpoint.host,
    port: endpoint.port,
    database: '',
    username: '',
    loginMethod: 'service_account',
    tlsMode: endpoint.uri.startsWith('http:') ? 'disable' : 'verify-full',
    tlsCa: endpoint.tlsCa,
  }
}
