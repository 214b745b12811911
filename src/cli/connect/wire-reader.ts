import type { Socket } from 'node:net'
import { MAX_AUTHENTICATION_MESSAGE_LENGTH } from '../../pgwire/codes.ts'
import { MessageReader, type WireMessage } from '../../pgwire/message-reader.ts'
import { readPacketLength } from '../../pgwire/startup-packet.ts'
import { IncomingBytes } from './incoming-bytes.ts'

/** A login as it comes over a socket: a first packet, or typed messages; then whatever is left for the relay. */
export class WireReader {
  readonly #incoming: IncomingBytes
  readonly #messages = new MessageReader({
    maxLength: () => MAX_AUTHENTICATION_MESSAGE_LENGTH,
    maxUnreadBytes: 4 * MAX_AUTHENTICATION_MESSAGE_LENGTH,
  })
  #unread: Uint8Array = new Uint8Array()

  constructor(socket: Socket) {
    this.#incoming = new IncomingBytes(socket)
  }

  /** The next packet without a type: SSLRequest, CancelRequest, StartupMessage. Undefined when there is none any more. */
  async firstPacket(): Promise<Uint8Array | undefined> {
    for (;;) {
      const length = readPacketLength(this.#unread)
      if (length === 'malformed') return undefined
      if (length !== undefined && this.#unread.length >= length) {
        const packet = this.#unread.subarray(0, length)
        this.#unread = this.#unread.subarray(length)
        return packet
      }
      const piece = await this.#incoming.next()
      if (piece === undefined) return undefined
      this.#unread = Buffer.concat([this.#unread, piece])
    }
  }

  /** The next typed message. Undefined when the peer has closed, or what it sends is no message. */
  async message(): Promise<WireMessage | undefined> {
    this.#messages.push(this.#unread)
    this.#unread = new Uint8Array()
    for (;;) {
      const read = this.#messages.next()
      if (read.kind === 'message') return read.message
      if (read.kind === 'malformed') return undefined
      const piece = await this.#incoming.next()
      if (piece === undefined) return undefined
      this.#messages.push(piece)
    }
  }

  /** Ends the reading: the bytes that came and were not taken. */
  release(): Uint8Array {
    this.#incoming.release()
    return Buffer.concat([this.#unread, this.#messages.remaining()])
  }
}
