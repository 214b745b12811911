// Opens sessions through one way and keeps them, or opens and closes them as fast as they come; in a process of its own, so that
// the sessions' client side is not in the figures.
//
// Takes SessionClientOptions from the environment. Prints `open` and the number of sessions, then waits for the end of its standard input.

import { bunTransport } from '../src/transport/bun/bun-transport.ts'
import type { ByteSocket } from '../src/transport/byte-socket.ts'

export interface SessionClientOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly sessions: number
  /** False: each session ends as soon as it is open and had one answer. */
  readonly stay: boolean
}

const parallel = 8
/** No measurement takes so long: a server that does not answer must not hold up the bench. */
const longestRunMs = 180_000
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const options = JSON.parse(process.env['BENCH_OPTIONS'] ?? '{}') as SessionClientOptions
const startup = firstPacket(['user', options.user, 'database', options.database])

setTimeout(() => process.exit(1), longestRunMs).unref()
let begun = 0
await Promise.all(
  Array.from({ length: parallel }, async () => {
    while (begun < options.sessions) {
      begun += 1
      await openSession()
    }
  }),
)
console.log(`open ${options.sessions}`)
process.stdin.on('end', () => process.exit(0)).resume()

async function openSession(): Promise<void> {
  const plain = await bunTransport.connect({ kind: 'tcp', address: '127.0.0.1', port: options.port }, 30_000)
  const clear = new Replies(plain)
  plain.write(sslRequest)
  await clear.until((bytes) => bytes.length > 0)
  const socket = await plain.upgradeToTls({ serverName: options.host, caPem: undefined, verify: 'none' })
  const replies = new Replies(socket)
  socket.write(startup)
  await replies.until((bytes) => bytes.length > 0)
  socket.write(typed('p', `${options.password}\0`))
  await replies.until(endsReady)
  // A pooler takes an upstream session at the first query only.
  socket.write(typed('Q', 'select 1\0'))
  await replies.until(endsReady)
  if (options.stay) return
  socket.write(typed('X', ''))
  socket.destroy()
}

/** What a server answers, until it is what was waited for. */
class Replies {
  #received = Buffer.alloc(0)
  #closed = false
  #wake: (() => void) | undefined

  constructor(socket: ByteSocket) {
    const close = () => {
      this.#closed = true
      this.#wake?.()
    }
    socket.setHandlers({
      onData: (chunk) => {
        this.#received = Buffer.concat([this.#received, chunk])
        this.#wake?.()
      },
      onDrain: () => undefined,
      onEnd: close,
      onClose: close,
    })
  }

  async until(isEnough: (bytes: Buffer) => boolean): Promise<void> {
    while (!isEnough(this.#received)) {
      if (this.#closed) throw new Error(`the server ended the session: ${this.#received.toString('latin1')}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    this.#received = Buffer.alloc(0)
  }
}

/** ReadyForQuery is six bytes: type, length, status. */
function endsReady(bytes: Buffer): boolean {
  return bytes.at(-6) === 'Z'.charCodeAt(0)
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
