import { PosternError } from '../../base/errors.ts'
import { MessageReader, type WireMessage } from '../../pgwire/message-reader.ts'
import { MAX_AUTHENTICATION_MESSAGE_LENGTH, MAX_STARTUP_PACKET_LENGTH } from '../../pgwire/codes.ts'
import { readPacketLength } from '../../pgwire/startup-packet.ts'
import type { ByteSocket } from '../../transport/byte-socket.ts'

/** The peer closed the socket before the login was over. Nobody is left to be told. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone'
}

/** What of the stream the login did not consume; the relay goes on with it. */
export interface LeftOver {
  /** Received and not read. */
  readonly unread: Uint8Array
  /** Written and not yet taken by the socket. */
  readonly unsent: Uint8Array
}

const nothing = new Uint8Array()
const rawMaxBytes = 2 * MAX_STARTUP_PACKET_LENGTH
/** What may wait behind the longest message: nobody has a reason to send much before the login is over. */
const aheadMaxBytes = 64 * 1024
const lingerMs = 1000

/**
 * A socket while a login runs on it: what arrives can be awaited, piece by piece and within bounds.
 *
 * States: *raw* (first packets, no message types) → first `readMessage` → *messages* → `release` → the relay owns the socket.
 * Reading more than a bound, the end of the stream and `fail` all end in a rejection of the pending and every later read.
 */
export class LoginChannel {
  readonly socket: ByteSocket
  readonly #maxMessageLength: number
  #raw: Uint8Array = nothing
  #messages: MessageReader | undefined
  #unsent: Uint8Array = nothing
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #finishing = false

  constructor(socket: ByteSocket, maxMessageLength = MAX_AUTHENTICATION_MESSAGE_LENGTH) {
    this.socket = socket
    this.#maxMessageLength = maxMessageLength
    socket.setHandlers({
      onData: (chunk) => this.#receive(chunk),
      onDrain: () => this.#flush(),
      onEnd: () => this.fail(new PeerGone()),
      onClose: () => this.fail(new PeerGone()),
    })
  }

  /** Ends the login: the pending read and all later ones reject with `error`. The first failure stands. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#wakeReader()
  }

  /**
   * Call right before `release`: the relay is not told of what happened earlier.
   * @throws PeerGone, or why the login failed, where the stream ended or a part of it was lost
   */
  requireIntact(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  get hasUnread(): boolean {
    return this.#raw.length > 0
  }

  /** The first byte of what comes next, not consumed. */
  async peekByte(): Promise<number> {
    while (this.#raw.length === 0) await this.#more()
    return this.#raw[0] as number
  }

  /** Everything that arrived so far. */
  takeRaw(): Uint8Array {
    const raw = this.#raw
    this.#raw = nothing
    return raw
  }

  /**
   * One packet without type byte: what a client may send first.
   * @returns undefined when its length is one that no first packet may have; nothing behind it was read
   */
  async readFirstPacket(): Promise<Uint8Array | undefined> {
    for (;;) {
      const length = readPacketLength(this.#raw)
      if (length === 'malformed') return undefined
      if (length !== undefined && this.#raw.length >= length) {
        const packet = this.#raw.slice(0, length)
        this.#raw = this.#raw.subarray(length)
        return packet
      }
      await this.#more()
    }
  }

  /**
   * The next typed message.
   * @throws PosternError PROTOCOL_VIOLATION when it is malformed or longer than the bound
   */
  async readMessage(): Promise<WireMessage> {
    const messages = this.#enterMessages()
    for (;;) {
      const read = messages.next()
      if (read.kind === 'message') return read.message
      if (read.kind === 'malformed') throw new PosternError('PROTOCOL_VIOLATION', `malformed message: ${read.reason}`)
      await this.#more()
    }
  }

  /** Sends bytes; what the socket does not take at once is sent when it drains. For login messages only: they are few and small. */
  write(bytes: Uint8Array): void {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes])
    this.#flush()
  }

  /** Half-closes once all is sent, and closes for good soon after, whether the peer reads or not. */
  finish(): void {
    this.#finishing = true
    this.#flush()
    setTimeout(() => this.socket.destroy(), lingerMs).unref()
  }

  /** Gives the socket away: the caller sets its own handlers at once. */
  release(): LeftOver {
    return { unread: this.#messages?.remaining() ?? this.takeRaw(), unsent: this.#unsent }
  }

  #enterMessages(): MessageReader {
    if (this.#messages === undefined) {
      this.#messages = new MessageReader({
        maxLength: () => this.#maxMessageLength,
        maxUnreadBytes: this.#maxMessageLength + aheadMaxBytes,
      })
      this.#messages.push(this.takeRaw())
    }
    return this.#messages
  }

  #receive(chunk: Uint8Array): void {
    if (this.#messages !== undefined) {
      if (!this.#messages.push(chunk)) this.fail(tooMuch())
    } else if (this.#raw.length <= rawMaxBytes) this.#raw = Buffer.concat([this.#raw, chunk])
    else this.fail(tooMuch())
    this.#wakeReader()
  }

  #flush(): void {
    if (this.#unsent.length > 0) {
      const taken = this.socket.write(this.#unsent)
      if (taken > 0) this.#unsent = this.#unsent.subarray(taken)
    }
    if (!this.#finishing || this.#unsent.length > 0) return
    this.#finishing = false
    this.socket.end()
  }

  async #more(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#throwUnlessPeerGone()
  }

  /** What arrived together with the end of the stream is still read: an ErrorResponse, then a close. */
  #throwUnlessPeerGone(): void {
    if (this.#failure !== undefined && !(this.#failure instanceof PeerGone)) throw this.#failure
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

function tooMuch(): PosternError {
  return new PosternError('PROTOCOL_VIOLATION', 'too many bytes before the login was over')
}
