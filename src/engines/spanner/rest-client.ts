import { PosternError } from '../../base/errors.ts'
import type { GuardedHttp } from '../../dialer/open-http.ts'
import { parseJsonObject, readBody } from '../read-body.ts'
import type { AccessTokenSource, TokenRequest } from '../../secrets/google/access-token.ts'
import { readStatus, spannerFailure, type GoogleStatus } from './errors.ts'
import { readJsonStream } from './json-stream.ts'

const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const MAX_ERROR_BYTES = 256 * 1024

export interface SpannerCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below `/v1/`, with its query string. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
}

type Answer = { readonly ok: Readonly<Record<string, unknown>> } | { readonly failed: GoogleStatus }

/** The REST API of Spanner with our access token on every request. */
export class SpannerRestClient {
  readonly #http: GuardedHttp
  /** Undefined towards the emulator, which is told nothing. */
  readonly #tokens: AccessTokenSource | undefined
  readonly #tokenRequest: TokenRequest

  constructor(http: GuardedHttp, tokens: AccessTokenSource | undefined, tokenRequest: TokenRequest) {
    this.#http = http
    this.#tokens = tokens
    this.#tokenRequest = tokenRequest
  }

  /** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND by the status that Google answered */
  async call(call: SpannerCall): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.try(call)
    if ('failed' in answer) throw spannerFailure(answer.failed)
    return answer.ok
  }

  /** As {@link call}, with Google's own failures as values. */
  async try(call: SpannerCall): Promise<Answer> {
    const { status, body } = await this.#send(call)
    const bytes = await readBody(body, status === 200 ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES)
    const parsed = parseJsonObject(bytes)
    if (status !== 200) return { failed: readStatus(parsed, status) }
    if (parsed === undefined) throw notSpanner()
    return { ok: parsed }
  }

  /** The objects of a streamed answer; ends with `failed` where Google reports a failure in its course. */
  async *stream(call: SpannerCall): AsyncGenerator<Answer> {
    const { status, body } = await this.#send(call)
    if (status !== 200) {
      const bytes = await readBody(body, MAX_ERROR_BYTES)
      yield { failed: readStatus(parseAny(bytes), status) }
      return
    }
    for await (const object of readJsonStream(body)) {
      if ('error' in object) {
        yield { failed: readStatus(object, status) }
        return
      }
      // The emulator's gateway wraps each part.
      const { result } = object
      yield { ok: typeof result === 'object' && result !== null ? { ...result } : object }
    }
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  async #send(call: SpannerCall): ReturnType<GuardedHttp['request']> {
    const token = await this.#tokens?.({ ...this.#tokenRequest, signal: call.signal })
    return this.#http.request({
      method: call.method,
      path: `/v1/${call.path}`,
      headers: {
        accept: 'application/json',
        ...(call.body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token.reveal()}` }),
      },
      ...(call.body && { body: JSON.stringify(call.body) }),
      signal: call.signal,
      maxResponseBytes: Infinity,
    })
  }
}

function parseAny(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch {
    return undefined // The HTTP status says enough.
  }
}

function notSpanner(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'what answers at the address of Spanner does not speak its REST API')
}
