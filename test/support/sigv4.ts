import { createHash, createHmac } from 'node:crypto'

/** What a signature version 4 covers (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * The signature of a request, computed from the specification alone and with no code of AWS: the independent judge of what the
 * SDK signs.
 * @param amzDate `YYYYMMDDTHHMMSSZ`
 */
export function signatureV4(
  request: SignedRequest,
  key: {
    readonly secretAccessKey: string
    readonly amzDate: string
    readonly region: string
    readonly service: string
    readonly signedHeaders: readonly string[]
    readonly payloadHash?: string
  },
): string {
  const { secretAccessKey, amzDate, region, service, signedHeaders } = key
  const url = new URL(request.target, 'https://host.test')
  const query = [...url.searchParams.entries()]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .toSorted(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = signedHeaders.map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`)
  const canonical = [
    request.method,
    url.pathname,
    query,
    headers.join(''),
    signedHeaders.join(';'),
    key.payloadHash ?? sha256(request.body),
  ].join('\n')
  const scope = `${amzDate.slice(0, 8)}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', amzDate, scope, sha256(canonical)].join('\n')
  let signing: Buffer = Buffer.from(`AWS4${secretAccessKey}`)
  for (const part of scope.split('/')) signing = createHmac('sha256', signing).update(part).digest()
  return createHmac('sha256', signing).update(toSign).digest('hex')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
