import { PosternError } from '../base/errors.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DialerDependencies } from '../dialer/dial-options.ts'
import { openHttp } from '../dialer/open-http.ts'
import type { SecretHttp, SecretRequest, SecretResponse } from './secret-http.ts'

const TIMEOUT_MS = 5_000
const MAX_ANSWER_BYTES = 1024 * 1024
const LOOPBACK_HOSTS: Readonly<Record<string, string>> = {
  localhost: '127.0.0.1',
  '127.0.0.1': '127.0.0.1',
  '[::1]': '::1',
}

/**
 * {@link SecretHttp} over the dialer: one socket for each request, closed after it.
 * @param called what failures call the other side
 */
export function dialledSecretHttp(dialer: DialerDependencies, called = 'the secret manager'): SecretHttp {
  return { request: (request) => send(dialer, called, request) }
}

async function send(dialer: DialerDependencies, called: string, request: SecretRequest): Promise<SecretResponse> {
  const { url, method, headers, body, tls, signal } = request
  const secrets = tls?.privateKeyPem === undefined ? {} : { tlsClientKey: tls.privateKeyPem }
  try {
    const http = await openHttp(routeOf(url, tls), { ...dialer, secrets, timeoutMs: TIMEOUT_MS, signal })
    try {
      const answer = await http.request({
        method,
        path: `${url.pathname}${url.search}`,
        headers: { ...headers, host: url.host, connection: 'close' },
        ...(body !== undefined && { body }),
        signal,
        maxResponseBytes: MAX_ANSWER_BYTES,
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of answer.body) chunks.push(chunk)
      return { status: answer.status, headers: answer.headers, body: Buffer.concat(chunks) }
    } finally {
      await http.close()
    }
  } catch (thrown) {
    throw failure(thrown, `${called} ${url.host}`)
  }
}

/** The name of an engine plays no part: what is dialled is what the URL says. */
function routeOf(url: URL, tls: SecretRequest['tls']): DataSourceRoute {
  const isPlain = url.protocol === 'http:'
  const loopback = LOOPBACK_HOSTS[url.hostname]
  if (isPlain && loopback === undefined) {
    throw new PosternError('SECRET_SOURCE_REFUSED', `plain http is refused to ${url.host}: it would show the secret`, {
      hint: 'Use https; plain http goes to this machine alone.',
    })
  }
  return {
    ...PLAIN_ROUTE,
    engine: 'clickhouse',
    // Not looked up: what answers to the name localhost is up to the machine's resolver.
    host: (isPlain ? loopback : undefined) ?? url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (isPlain ? 80 : 443) : Number(url.port),
    database: '',
    username: '',
    loginMethod: 'password',
    tlsMode: isPlain ? 'disable' : 'verify-full',
    tlsCa: tls?.caPem ?? null,
    tlsClientCertificate: tls?.certificatePem ?? null,
  }
}

const TEXTS: Readonly<Record<string, string>> = {
  UPSTREAM_NAME_UNKNOWN: 'its host name does not resolve',
  UPSTREAM_PORT_CLOSED: 'nothing listens at its address and port',
  UPSTREAM_TIMED_OUT: 'it did not answer in time',
  UPSTREAM_TLS_EXPIRED: 'its certificate is not valid now',
  UPSTREAM_TLS_SELF_SIGNED: 'its certificate is signed by itself',
  UPSTREAM_TLS_WRONG_NAME: 'its certificate is for another host name',
  UPSTREAM_TLS_UNTRUSTED: 'its certificate comes from an authority that is not trusted here',
  UPSTREAM_TLS_CLIENT_CERTIFICATE: 'it asks for a client certificate, or refuses ours',
  UPSTREAM_PROTOCOL: 'it does not speak HTTP',
  RESULT_TOO_LARGE: 'its answer is larger than 1 MiB',
  CANCELLED: 'it did not answer in time',
}

/** The dialer speaks of databases; whoever reads this looks for a secret manager. Its causes stay. */
function failure(thrown: unknown, service: string): unknown {
  if (!(thrown instanceof PosternError)) return thrown
  if (thrown.code.startsWith('SECRET_SOURCE_')) return thrown
  if (thrown.code === 'UPSTREAM_ADDRESS_REFUSED') {
    return new PosternError('SECRET_SOURCE_REFUSED', `the address of ${service} is one that is never dialled`, {
      cause: thrown,
    })
  }
  const text = TEXTS[thrown.code] ?? 'it could not be reached'
  return new PosternError('SECRET_SOURCE_UNAVAILABLE', `${service}: ${text}`, { cause: thrown })
}
