import type { Duplex } from 'node:stream'
import { PosternError } from '../../base/errors.ts'

/** Login packets are small; so is everything else before a result. */
const MAX_LOGIN_BYTES = 64 * 1024
const MAX_RESULT_BYTES = 64 * 1024 * 1024
const HEADER_LENGTH = 4
/** A packet of this length is continued by the next one. */
const CONTINUED = 0xff_ffff
/** First byte of what a server may say first: protocol version 10, or an error. */
const FIRST_BYTES = new Set([10, 0xff])

/** Tells the guards of a session that the login is over and results may follow. */
export interface PacketGuard {
  /** Also before the TLS handshake, after which the packets count on. */
  watch(stream: Duplex): void
  loggedIn(): void
}

/**
 * Stands between a server and the `mysql2` driver, which waits for as many bytes as a packet says it has and lets what its
 * parsers throw end the process. Packets that are too long, and a server that does not begin as MySQL does, end the session.
 */
export function guardPackets(): PacketGuard {
  const packets = new PacketLengths()
  return {
    watch(stream) {
      const subscribe = stream.on.bind(stream)
      const guarded = (event: string, listener: (chunk: Buffer) => void): Duplex => {
        if (event !== 'data') return subscribe(event, listener)
        return subscribe('data', (chunk: Buffer) => {
          try {
            packets.check(chunk)
            listener(chunk)
          } catch (thrown) {
            stream.destroy(thrown instanceof PosternError ? thrown : notMysql(thrown))
          }
        })
      }
      Object.assign(stream, { on: guarded as typeof stream.on })
    },
    loggedIn: () => packets.loggedIn(),
  }
}

class PacketLengths {
  readonly #header = Buffer.alloc(HEADER_LENGTH)
  #headerBytes = 0
  /** Of the payload that is being read. */
  #bytesLeft = 0
  #continuedBytes = 0
  #isFirst = true
  #maxBytes = MAX_LOGIN_BYTES

  loggedIn(): void {
    this.#maxBytes = MAX_RESULT_BYTES
  }

  check(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#bytesLeft > 0) {
        if (this.#isFirst && !FIRST_BYTES.has(chunk[at] as number)) throw notMysql(undefined)
        this.#isFirst = false
        const taken = Math.min(this.#bytesLeft, chunk.length - at)
        this.#bytesLeft -= taken
        at += taken
        continue
      }
      this.#header[this.#headerBytes] = chunk[at] as number
      this.#headerBytes += 1
      at += 1
      if (this.#headerBytes === HEADER_LENGTH) this.#begin()
    }
  }

  #begin(): void {
    this.#headerBytes = 0
    this.#bytesLeft = this.#header.readUIntLE(0, 3)
    const total = this.#continuedBytes + this.#bytesLeft
    if (total > this.#maxBytes) {
      if (this.#maxBytes === MAX_LOGIN_BYTES) throw notMysql(undefined)
      throw new PosternError('RESULT_TOO_LARGE', 'a single row of the result is longer than Postern reads', {
        hint: 'Ask for fewer or shorter columns.',
      })
    }
    this.#continuedBytes = this.#bytesLeft === CONTINUED ? total : 0
  }
}

function notMysql(cause: unknown): PosternError {
  return new PosternError(
    'UPSTREAM_PROTOCOL',
    'what answers at the address of the database does not speak the MySQL protocol',
    { cause },
  )
}
