import { asPosternError, PosternError } from '../../base/errors.ts'
import type { DialerDependencies } from '../../dialer/dial.ts'
import { dialledSecretHttp } from '../../secrets/dialled-secret-http.ts'
import type { SecretHttp } from '../../secrets/secret-http.ts'

/** For one request to an issuer, from the look-up of its name to the end of the answer. */
const TIMEOUT_MS = 5_000

/** An issuer of tokens, and whom its TLS certificate may come from. */
export interface IssuerPlace {
  readonly issuer: string
  /** PEM; null: the public authorities. */
  readonly issuerCa: string | null
}

/** How the documents and keys of issuers are fetched. */
export type IssuerFetch = (url: string, init?: IssuerRequest) => Promise<Response>

interface IssuerRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text; a form goes as its text. */
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * HTTP to an issuer, by the dialer: TLS verified, resolved addresses checked at each dial, no redirect followed, an answer of at
 * most 1 MiB. Plain HTTP goes to this machine alone. The function has the shape of `fetch`, as far as OpenID Connect needs it.
 *
 * The function throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID
 */
export function issuerFetch(dialer: DialerDependencies, { issuerCa }: Pick<IssuerPlace, 'issuerCa'>): IssuerFetch {
  const http = dialledSecretHttp(dialer, 'the identity provider')
  return (url, init = {}) => send(http, new URL(url), issuerCa, init)
}

async function send(http: SecretHttp, url: URL, caPem: string | null, init: IssuerRequest): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const { method = 'GET', headers = {}, body } = init
  try {
    const answer = await http.request({
      method: method === 'POST' ? 'POST' : 'GET',
      url,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
      ...(body !== undefined && { body }),
      ...(caPem !== null && { tls: { caPem } }),
      signal: init.signal === undefined ? timeout : AbortSignal.any([timeout, init.signal]),
    })
    const contentType = answer.headers['content-type']
    return new Response(isBodyless(answer.status) ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: contentType === undefined ? {} : { 'content-type': contentType },
    })
  } catch (thrown) {
    throw issuerFailure(thrown)
  }
}

/** `Response` takes no body with these. */
function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

/** The way speaks of secret managers; its texts are about what was dialled. */
function issuerFailure(thrown: unknown): PosternError {
  const error = asPosternError(thrown)
  if (!error.code.startsWith('SECRET_SOURCE_')) return error
  const isRefused = error.code === 'SECRET_SOURCE_REFUSED'
  return new PosternError(isRefused ? 'IDENTITY_PROVIDER_INVALID' : 'IDENTITY_PROVIDER_UNAVAILABLE', error.message, {
    cause: error,
  })
}
