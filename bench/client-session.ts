import { bunTransport } from '../src/transport/bun/bun-transport.ts'
import type { ByteSocket, ByteSocketHandlers } from '../src/transport/byte-socket.ts'

/** Where and as whom a client of the bench logs in. */
export interface SessionTarget {
  /** Sent by SNI. */
  readonly host: string
  readonly port: number
  /** Instead of TLS over TCP: the server's Unix socket, in the clear. */
  readonly socketPath?: string
  readonly user: string
  readonly password: string
  readonly database: string
}

const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const connectTimeoutMs = 30_000
/** Type, length and kind of an authentication message. */
const authenticationLength = 9
const cleartextPassword = 3
/** ReadyForQuery outside of a transaction. */
const ready = Buffer.from([...Buffer.from('Z'), 0, 0, 0, 5, ...Buffer.from('I')])

/** A session that is ready for its first query. It reads as fast as it can and keeps nothing. */
export class ClientSession {
  readonly #socket: ByteSocket
  readonly #answers: Answers

  private constructor(socket: ByteSocket, answers: Answers) {
    this.#socket = socket
    this.#answers = answers
  }

  static async open(target: SessionTarget): Promise<ClientSession> {
    const socket = await connect(target)
    const answers = new Answers(socket)
    socket.write(firstPacket(['user', target.user, 'database', target.database]))
    const request = await answers.first(authenticationLength)
    if (request.readInt32BE(authenticationLength - 4) === cleartextPassword)
      socket.write(typed('p', `${target.password}\0`))
    await answers.untilReady()
    return new ClientSession(socket, answers)
  }

  /** @returns bytes of the answer */
  async query(sql: string): Promise<number> {
    this.#socket.write(typed('Q', `${sql}\0`))
    return await this.#answers.untilReady()
  }

  close(): void {
    this.#socket.write(typed('X', ''))
    this.#socket.destroy()
  }
}

async function connect({ host, port, socketPath }: SessionTarget): Promise<ByteSocket> {
  if (socketPath !== undefined) return await bunTransport.connect({ kind: 'unix', path: socketPath }, connectTimeoutMs)
  const plain = await bunTransport.connect({ kind: 'tcp', address: '127.0.0.1', port }, connectTimeoutMs)
  const answers = new Answers(plain)
  plain.write(sslRequest)
  await answers.first(1)
  return await plain.upgradeToTls({ serverName: host, caPem: undefined, verify: 'none' })
}

/** What the server answers: counted, and looked at only where it may end. */
class Answers {
  #bytes = 0
  #first = Buffer.alloc(0)
  #last = Buffer.alloc(0)
  #closed = false
  #wake: (() => void) | undefined

  constructor(socket: ByteSocket) {
    const close = () => {
      this.#closed = true
      this.#wake?.()
    }
    const handlers: ByteSocketHandlers = {
      onData: (chunk) => {
        this.#bytes += chunk.length
        // Copies: the chunk is the runtime's.
        if (this.#first.length < authenticationLength) this.#first = Buffer.concat([this.#first, chunk.subarray(0, 64)])
        const end = Buffer.from(chunk.subarray(-ready.length))
        this.#last = Buffer.concat([this.#last, end]).subarray(-ready.length)
        this.#wake?.()
      },
      onDrain: () => undefined,
      onEnd: close,
      onClose: close,
    }
    socket.setHandlers(handlers)
  }

  /** What the server said first, as soon as it is so long. */
  async first(length: number): Promise<Buffer> {
    await this.#until(() => this.#first.length >= length)
    return this.#first
  }

  /** @returns bytes since the last call */
  async untilReady(): Promise<number> {
    await this.#until(() => this.#last.equals(ready))
    const bytes = this.#bytes
    this.#bytes = 0
    this.#last = Buffer.alloc(0)
    return bytes
  }

  async #until(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      if (this.#closed) throw new Error(`the server ended the session: ${this.#first.toString('latin1')}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

function firstPacket(words: readonly string[]): Buffer {
  const body = Buffer.from(`${words.map((word) => `${word}\0`).join('')}\0`)
  const header = Buffer.alloc(8)
  header.writeInt32BE(body.length + 8)
  header.writeInt32BE(3 << 16, 4)
  return Buffer.concat([header, body])
}

function typed(type: string, text: string): Buffer {
  const header = Buffer.alloc(5)
  header.write(type)
  header.writeInt32BE(Buffer.byteLength(text) + 4, 1)
  return Buffer.concat([header, Buffer.from(text)])
}
