import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { CredentialError } from './credential-error.ts'

/** One request to the control plane. */
export interface PostRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** PEM to trust instead of the public authorities. */
  readonly ca: string | undefined
}

interface PostAnswer {
  readonly body: Readonly<Record<string, unknown>>
  /** When the control plane answered, by its own clock. */
  readonly answeredAt: Date
}

const timeoutMs = 10_000
const maximumBytes = 256 * 1024

/** @throws CredentialError for everything but a 2xx answer in JSON */
export async function post(request: PostRequest): Promise<PostAnswer> {
  const { status, date, text } = await exchange(request)
  const body = parse(text)
  if (status >= 200 && status <= 299 && body !== undefined) {
    const answeredAt = new Date(date ?? '')
    return { body, answeredAt: Number.isNaN(answeredAt.getTime()) ? new Date() : answeredAt }
  }
  const { code, detail, error, error_description: description } = body ?? {}
  const message = asText(detail) ?? asText(description) ?? asText(error) ?? `HTTP ${status}`
  throw new CredentialError(
    `${request.url.origin} refused: ${message}`,
    asText(code) ?? asText(error) ?? 'HTTP',
    status,
  )
}

function exchange({ url, headers, body, ca }: PostRequest) {
  return new Promise<{ status: number; date: string | undefined; text: string }>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const code = cause.code ?? (cause.name === 'TimeoutError' ? 'ETIMEDOUT' : 'ECONNRESET')
      reject(new CredentialError(`${url.origin} cannot be reached (${code})`, code, undefined, cause))
    }
    const options = { method: 'POST', headers, agent: false as const, signal: AbortSignal.timeout(timeoutMs) }
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const outgoing = send(url, { ...options, ...(ca !== undefined && { ca }) }, (incoming) => {
      const chunks: Buffer[] = []
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maximumBytes) incoming.destroy(new Error('the answer is too long'))
        else chunks.push(chunk)
      })
      incoming.on('error', fail)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          date: incoming.headers.date,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // something else than Postern answered; the status says the rest
  }
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
