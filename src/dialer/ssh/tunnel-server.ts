import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { asPosternError, PosternError } from '../../base/errors.ts'
import {
  failedLine,
  LINE_END,
  orderSecrets,
  TICKET_CHARACTERS,
  type TunnelLine,
  type TunnelOrder,
  type TunnelTicket,
} from './tunnel-messages.ts'
import type { TunnelPool } from './tunnel-pool.ts'

interface ServerOptions {
  readonly pool: TunnelPool
  /** Where it listens; nothing stands there yet, in a folder that is ours alone. */
  readonly path: string
  /** What is no failure of a tunnel but a bug of ours. */
  readonly onError: (error: unknown) => void
}

/** From the order to the ticket being shown, and from the first byte of a holder to his last word before the stream. */
const TICKET_LIFE_MS = 10_000
const TICKETS_MAX = 10_000

/**
 * The side of the tunnels: takes orders, hands out tickets, and gives the stream that was ordered to whoever shows the ticket on
 * the Unix socket.
 *
 * A socket: (ticket) → opening: stages are told line by line → open: waits for the holder's go → the bytes pass, both ways.
 */
export class TunnelServer {
  readonly #options: ServerOptions
  readonly #server: Server
  readonly #orders = new Map<string, { order: TunnelOrder; timer: ReturnType<typeof setTimeout> }>()
  readonly #sockets = new Set<Socket>()

  private constructor(options: ServerOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  static async listen(options: ServerOptions): Promise<TunnelServer> {
    const server = new TunnelServer(options)
    server.#server.listen(options.path)
    await once(server.#server, 'listening')
    return server
  }

  /** Sockets of holders, whatever they wait for. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** @throws PosternError TOO_MANY_SESSIONS */
  take(order: TunnelOrder): TunnelTicket {
    if (this.#orders.size >= TICKETS_MAX) {
      throw new PosternError('TOO_MANY_SESSIONS', 'too many SSH tunnels are asked for at one time')
    }
    const ticket = randomBytes(32).toString('base64url')
    const timer = setTimeout(() => this.#orders.delete(ticket), TICKET_LIFE_MS)
    timer.unref()
    this.#orders.set(ticket, { order, timer })
    return { path: this.#options.path, ticket }
  }

  /** Takes no more holders, waits for the streams to end, at most so long, and closes the tunnels. */
  async drain(timeoutMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, timeoutMs)
    await closed
    clearTimeout(timer)
    for (const { timer: expiry } of this.#orders.values()) clearTimeout(expiry)
    this.#orders.clear()
    this.#options.pool.close()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // Whatever it is, the close that follows ends the stream.
    socket.on('error', () => undefined)
    this.#serve(socket).catch((thrown: unknown) => {
      socket.destroy()
      this.#options.onError(thrown)
    })
  }

  async #serve(socket: Socket): Promise<void> {
    const ticket = await readBytes(socket, TICKET_CHARACTERS + 1)
    const order = ticket && this.#redeem(ticket)
    if (order === undefined) {
      socket.destroy()
      return
    }
    const say = (line: TunnelLine): void => {
      if (socket.writable) socket.write(`${JSON.stringify(line)}\n`)
    }
    let stream: Duplex
    try {
      const { hops, target, timeoutMs } = order
      stream = await this.#options.pool.forward({
        hops,
        target,
        timeoutMs,
        secrets: orderSecrets(order),
        onStage: (stage, detail) => say({ kind: 'stage', stage, detail }),
      })
    } catch (thrown) {
      const failure = asPosternError(thrown)
      if (failure.code === 'INTERNAL') this.#options.onError(thrown)
      say(failedLine(failure))
      socket.end()
      socket.resume()
      return
    }
    say({ kind: 'open' })
    if ((await readBytes(socket, 1)) === undefined) {
      abandon(stream)
      socket.destroy()
      return
    }
    join(socket, stream)
  }

  #redeem(line: Buffer): TunnelOrder | undefined {
    if (line.at(-1) !== LINE_END) return undefined
    const ticket = line.subarray(0, -1).toString('latin1')
    const found = this.#orders.get(ticket)
    clearTimeout(found?.timer)
    this.#orders.delete(ticket)
    return found?.order
  }
}

/** So many bytes and no more; undefined when the socket ends before or they take too long. */
function readBytes(socket: Socket, count: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(undefined)
    const finish = (bytes: Buffer | undefined): void => {
      clearTimeout(timer)
      socket.off('readable', read)
      socket.off('end', giveUp)
      socket.off('close', giveUp)
      resolve(bytes)
    }
    const giveUp = (): void => finish(undefined)
    const read = (): void => {
      const bytes: Buffer | null = socket.read(count)
      // At the end of the stream a read returns what is left.
      if (bytes !== null) finish(bytes.length === count ? bytes : undefined)
    }
    const timer = setTimeout(giveUp, TICKET_LIFE_MS)
    socket.on('readable', read)
    socket.on('end', giveUp)
    socket.on('close', giveUp)
    read()
  })
}

/** Passes the bytes both ways, with back-pressure, and the end of either side to the other. */
function join(socket: Socket, stream: Duplex): void {
  stream.on('error', () => socket.destroy())
  // All that came was read by now; what is still to be written to the holder goes out.
  stream.on('close', () => socket.destroySoon())
  socket.on('close', () => abandon(stream))
  socket.pipe(stream)
  stream.pipe(socket)
}

/** Closes a channel. What still comes is read, because it says that it is closed only behind its last byte. */
function abandon(stream: Duplex): void {
  stream.unpipe()
  stream.on('error', () => undefined)
  stream.resume()
  stream.destroy()
}
