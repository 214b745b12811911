import { Agent, request as sendRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PosternError } from '../base/errors.ts'
import { toDuplex } from '../transport/duplex.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { connectFailure } from './dial-errors.ts'
import { withTimeLeft, type DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { withSocketMethods } from './duplex-socket.ts'
import { secureSocket } from './secure-socket.ts'
import { cancelled } from './socket-in-time.ts'

export interface HttpRequest {
  readonly method: string
  /** Path and query, as they go on the request line. */
  readonly path: string
  /** `host` is filled in; the rest is the caller's. Secrets go here, never into the path. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** Aborting closes the socket at once, and ends `body` of the answer with CANCELLED. */
  readonly signal: AbortSignal
  /** The body ends with RESULT_TOO_LARGE when it is longer; default 64 MiB. `Infinity` where the caller reads a stream and counts. */
  readonly maxResponseBytes?: number
}

export interface HttpAnswer {
  /** Redirects are answers like any other: nothing follows them. */
  readonly status: number
  /** Names in lower case; what came several times is joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** Read it to its end, or leave its loop: otherwise the socket stays open. Back-pressure reaches the server. */
  readonly body: AsyncIterable<Uint8Array>
}

/** HTTP to one data source. Sockets are kept and used again; each new one is dialled anew, with the address rules and TLS of the route. */
export interface GuardedHttp {
  /** For a driver that speaks HTTP itself: give it with an `http:` URL, since TLS is done below. It dials nothing else, whatever the URL says. */
  readonly agent: Agent
  /** @throws PosternError UPSTREAM_* | CANCELLED | INVALID_ARGUMENT for TLS material that does not parse */
  request(request: HttpRequest): Promise<HttpAnswer>
  /** Closes every socket, also those in use. */
  close(): Promise<void>
}

const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024 * 1024
/** Of the status line and all header lines together. */
const MAX_HEADER_BYTES = 64 * 1024
/** Idle sockets; a server that closes them earlier is noticed. */
const MAX_IDLE_SOCKETS = 2

/**
 * The way to an engine that speaks HTTP. The first socket is dialled now, so that a bad route fails here, with its stages.
 * @throws PosternError as dialPlain; UPSTREAM_TLS_*
 */
export async function openHttp(route: DataSourceRoute, options: DialOptions): Promise<GuardedHttp> {
  const agent = new DialingAgent(route, options)
  await agent.dialFirst()
  return { agent, request: (request) => send(agent, route, request), close: async () => agent.destroy() }
}

/** An agent whose sockets are those of the dialer. */
class DialingAgent extends Agent {
  readonly #route: DataSourceRoute
  readonly #options: DialOptions
  readonly #open = new Set<Duplex>()
  #first: Duplex | undefined
  #isClosed = false

  constructor(route: DataSourceRoute, options: DialOptions) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS })
    this.#route = route
    this.#options = options
  }

  async dialFirst(): Promise<void> {
    this.#first = await this.#dial(this.#options)
  }

  override createConnection(_options: unknown, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    const waiting = this.#first
    this.#first = undefined
    if (waiting !== undefined && !waiting.destroyed && !waiting.readableEnded) {
      callback?.(null, waiting)
      return
    }
    void this.#dialLater(callback as (error: Error | null, stream?: Duplex) => void)
  }

  /** The stages were told, and the signal counted, for the first socket alone. */
  async #dialLater(callback: (error: Error | null, stream?: Duplex) => void): Promise<void> {
    let stream: Duplex
    try {
      stream = await this.#dial({ ...this.#options, onStage: undefined, signal: undefined })
    } catch (thrown) {
      callback(thrown as Error)
      return
    }
    callback(null, stream)
  }

  override destroy(): void {
    this.#isClosed = true
    super.destroy()
    for (const stream of this.#open) stream.destroy()
  }

  async #dial(options: DialOptions): Promise<Duplex> {
    if (this.#isClosed) throw cancelled()
    const deadlineAt = performance.now() + options.timeoutMs
    const plain = await dialPlain(this.#route, options)
    const socket =
      this.#route.tlsMode === 'disable'
        ? plain
        : await secureSocket(plain, this.#route, withTimeLeft(options, deadlineAt))
    const stream = withSocketMethods(toDuplex(socket))
    this.#open.add(stream)
    stream.once('close', () => this.#open.delete(stream))
    // Idle, nobody listens; in use, the request hears of it too.
    stream.on('error', () => undefined)
    if (this.#isClosed) stream.destroy()
    return stream
  }
}

async function send(agent: Agent, route: DataSourceRoute, request: HttpRequest): Promise<HttpAnswer> {
  if (request.signal.aborted) throw cancelled()
  const outgoing = sendRequest({
    agent,
    method: request.method,
    path: request.path,
    headers: { host: hostHeader(route), ...request.headers },
    maxHeaderSize: MAX_HEADER_BYTES,
    signal: request.signal,
  })
  try {
    const answer = await answered(outgoing, request.body)
    return {
      status: answer.statusCode ?? 0,
      headers: joined(answer.headers),
      body: bounded(answer, request.signal, request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES),
    }
  } catch (thrown) {
    outgoing.destroy()
    throw httpFailure(thrown, request.signal)
  }
}

function answered(outgoing: ClientRequest, body: HttpRequest['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.on('error', reject)
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body)
    else pipeline(Readable.from(body), outgoing).catch(reject)
  })
}

/** Leaving the loop early destroys the message and its socket. */
async function* bounded(
  answer: IncomingMessage,
  signal: AbortSignal,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      received += chunk.length
      if (received > maxBytes) {
        throw new PosternError('RESULT_TOO_LARGE', `the answer of the database is longer than ${maxBytes} bytes`)
      }
      yield chunk
    }
  } catch (thrown) {
    throw httpFailure(thrown, signal)
  }
}

function httpFailure(thrown: unknown, signal: AbortSignal): PosternError {
  if (signal.aborted) return cancelled()
  if (thrown instanceof PosternError) return thrown
  const code = (thrown as { code?: unknown } | null)?.code
  // The parser's own codes all begin so.
  if (typeof code === 'string' && code.startsWith('HPE_')) {
    return new PosternError('UPSTREAM_PROTOCOL', 'what answers at the address of the database does not speak HTTP', {
      cause: thrown,
    })
  }
  return connectFailure(thrown)
}

function hostHeader(route: DataSourceRoute): string {
  const host = route.host.includes(':') ? `[${route.host}]` : route.host
  const isDefault = route.port === (route.tlsMode === 'disable' ? 80 : 443)
  return isDefault ? host : `${host}:${route.port}`
}

function joined(headers: IncomingMessage['headers']): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, string>
}
