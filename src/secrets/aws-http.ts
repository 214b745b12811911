import { Readable } from 'node:stream'
import type { SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager'
import type { FetchContext } from './secret-source.ts'

type RequestHandler = NonNullable<SecretsManagerClientConfig['requestHandler']>

/** What the SDK asks its handler to send; the part of it that is used (`HttpRequest` of @smithy/types). */
interface AwsRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Lets the AWS SDK send its requests the way that all of ours go: address rules, TLS, no redirect, bounded in size. */
export function awsRequestHandler(context: FetchContext): RequestHandler {
  return {
    async handle(request: AwsRequest) {
      const { status, headers, body } = await context.http.request({
        method: request.method === 'GET' ? 'GET' : 'POST',
        url: urlOf(request),
        headers: withoutHost(request.headers),
        ...(request.body !== undefined && { body: textOf(request.body) }),
        signal: context.signal,
      })
      return { response: { statusCode: status, headers: { ...headers }, body: Readable.from([body]) } }
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  } as RequestHandler
}

function urlOf({ protocol, hostname, port, path, query = {} }: AwsRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) url.searchParams.append(name, one ?? '')
  }
  return url
}

/** The host is part of the signature and equals that of the URL; the way out writes both. */
function withoutHost(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(host|content-length)$/i.test(name)))
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8')
  throw new TypeError('the AWS SDK sent a body that is not text')
}
