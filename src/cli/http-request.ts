import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { createInterface } from 'node:readline'
import { CliError } from './cli-error.ts'
import type { Endpoint } from './endpoint.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Encoded path and query. Sent as it is, so that an encoded name stays one segment. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange, from the name lookup to the last byte. */
  readonly timeoutMs: number
  /** Told each line of an answer that comes line by line, as it comes; its body is empty then. */
  readonly onLine?: (text: string) => void
}

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly requestId: string | undefined
  readonly retryAfter: string | undefined
  readonly body: string
}

const maximumAnswerBytes = 16 * 1024 * 1024

/**
 * One exchange with the control plane. Redirects are not followed: the API has none, and the access token must not travel on.
 * @throws CliError unreachable, with the reason in words
 */
export async function sendRequest(endpoint: Endpoint, request: HttpRequest): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(request.timeoutMs)
  try {
    return await exchange(endpoint, request, signal)
  } catch (thrown) {
    if (thrown instanceof CliError) throw thrown
    if (signal.aborted) {
      throw new CliError('unreachable', `${endpoint.origin} did not answer within ${request.timeoutMs / 1000} s`, {
        hint: 'Look at its log and at /readyz, then try again.',
        cause: thrown,
      })
    }
    throw explainFailure(endpoint, thrown as NodeJS.ErrnoException)
  }
}

function exchange(endpoint: Endpoint, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  const url = new URL(endpoint.origin)
  const body = request.body === undefined ? undefined : Buffer.from(request.body)
  const options: RequestOptions & { ca?: string } = {
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: request.path,
    method: request.method,
    headers: { ...request.headers, ...(body && { 'content-length': String(body.length) }) },
    agent: false,
    signal,
    ...(endpoint.ca !== undefined && { ca: endpoint.ca }),
  }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const outgoing = send(
      options,
      (incoming) => void readAnswer(endpoint, incoming, request.onLine).then(resolve, reject),
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function readAnswer(
  endpoint: Endpoint,
  incoming: IncomingMessage,
  onLine: HttpRequest['onLine'],
): Promise<HttpAnswer> {
  if (onLine !== undefined && incoming.headers['content-type']?.startsWith('application/x-ndjson')) {
    for await (const line of createInterface({ input: incoming, crlfDelay: Infinity })) onLine(line)
    return answerOf(incoming, '')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    bytes += chunk.length
    if (bytes > maximumAnswerBytes) {
      incoming.destroy()
      throw new CliError('internal', `${endpoint.origin} sent more than 16 MiB in one answer`, {
        hint: 'Ask for less with --limit.',
      })
    }
    chunks.push(chunk)
  }
  return answerOf(incoming, Buffer.concat(chunks).toString('utf8'))
}

function answerOf(incoming: IncomingMessage, body: string): HttpAnswer {
  const header = (name: string) => [incoming.headers[name]].flat()[0]
  return {
    status: incoming.statusCode ?? 0,
    contentType: header('content-type') ?? '',
    requestId: header('x-request-id'),
    retryAfter: header('retry-after'),
    body,
  }
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
])

function explainFailure({ origin }: Endpoint, cause: NodeJS.ErrnoException): CliError {
  const code = cause.code ?? 'unknown error'
  const say = (message: string, hint: string) => new CliError('unreachable', message, { hint, cause })
  const { hostname, protocol } = new URL(origin)
  if (untrusted.has(code)) {
    return say(
      `the certificate of ${origin} is not trusted (${code})`,
      'Give its certificate authority with --ca-file.',
    )
  }
  switch (code) {
    case 'ECONNREFUSED':
      return say(
        `nothing listens at ${origin}`,
        'Start it with `postern serve`, or name another with --host or POSTERN_HOST.',
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return say(`the host name ${hostname} does not resolve (${code})`, 'Check --host and the name service.')
    case 'CERT_HAS_EXPIRED':
      return say(
        `the certificate of ${origin} has expired`,
        'Renew it on the server, and check the clock of this machine.',
      )
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return say(`the certificate of ${origin} is for another name`, 'Use the host name that the certificate holds.')
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'EPROTO':
      return say(`${origin} does not speak TLS`, 'Use http:// if it is on this machine, else check the port.')
    case 'ECONNRESET':
      return say(
        `${origin} closed without an answer`,
        protocol === 'http:'
          ? 'Use https:// if it speaks TLS, else check the port.'
          : 'Check the port, then try again.',
      )
    default:
      return say(`${origin} cannot be reached (${code})`, 'Check --host and the network.')
  }
}
