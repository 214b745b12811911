/** One typed message, copied out of the stream. */
export interface WireMessage {
  /** One character: the type byte. */
  readonly type: string
  /** What follows type and length. */
  readonly body: Uint8Array
  /** The whole message as it came, for passing it on unchanged. */
  readonly bytes: Uint8Array
}

/** What `next` found: a message, too few bytes so far, or a stream that cannot be read on. */
export type MessageRead =
  | { readonly kind: 'message'; readonly message: WireMessage }
  | { readonly kind: 'incomplete' }
  /** `length` is below 4, or above what the caller allows for this type; or the caller let too many bytes pile up. */
  | { readonly kind: 'malformed'; readonly reason: 'length' | 'too-long' | 'too-much-unread' }

export interface MessageLimits {
  /** Longest acceptable message of a type, its length field included, its type byte not. 0 refuses the type. */
  maxLength(type: string): number
  /** Bytes that may wait unread: pushed and not yet taken by `next`. */
  readonly maxUnreadBytes: number
}

const HEADER_LENGTH = 5
const INCOMPLETE = { kind: 'incomplete' } as const

/**
 * Reads typed messages from a byte stream during login; after login `remaining` goes to the relay and the reader is dropped.
 *
 * A length is judged as soon as its four bytes are there, before any of the body is waited for or kept. After
 * `malformed` the stream has no message boundaries any more, so every later `next` says the same.
 * @see https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS
 */
export class MessageReader {
  readonly #limits: MessageLimits
  #buffer = new Uint8Array()
  #start = 0
  #end = 0
  #failure: MessageRead | undefined

  constructor(limits: MessageLimits) {
    this.#limits = limits
  }

  /**
   * Adds what was received. The bytes are copied: the chunk may be reused afterwards.
   * @returns false when it was not kept, because the stream cannot be read on: bytes are lost
   */
  push(chunk: Uint8Array): boolean {
    if (this.#failure !== undefined) return false
    if (this.#end - this.#start + chunk.length > this.#limits.maxUnreadBytes) {
      this.#fail('too-much-unread')
      return false
    }
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length)
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.length
    return true
  }

  /** Takes the next message, if all of it is there. */
  next(): MessageRead {
    if (this.#failure !== undefined) return this.#failure
    if (this.#end - this.#start < HEADER_LENGTH) return INCOMPLETE
    const type = String.fromCharCode(this.#buffer[this.#start] as number)
    const length = new DataView(this.#buffer.buffer, this.#start, HEADER_LENGTH).getInt32(1)
    if (length < 4) return this.#fail('length')
    if (length > this.#limits.maxLength(type)) return this.#fail('too-long')
    const end = this.#start + 1 + length
    if (end > this.#end) return INCOMPLETE
    const bytes = this.#buffer.slice(this.#start, end)
    this.#start = end
    return { kind: 'message', message: { type, bytes, body: bytes.subarray(HEADER_LENGTH) } }
  }

  /** Takes all bytes that `next` has not: what the relay must send on first. */
  remaining(): Uint8Array {
    const unread = this.#buffer.slice(this.#start, this.#end)
    this.#discard()
    return unread
  }

  /** Doubles, so that a message sent byte by byte costs no more than one sent at once. */
  #makeRoom(added: number): void {
    const unread = this.#buffer.subarray(this.#start, this.#end)
    const room = new Uint8Array(Math.max(unread.length + added, 2 * unread.length))
    room.set(unread)
    this.#buffer = room
    this.#start = 0
    this.#end = unread.length
  }

  #discard(): void {
    this.#buffer = new Uint8Array()
    this.#start = 0
    this.#end = 0
  }

  #fail(reason: 'length' | 'too-long' | 'too-much-unread'): MessageRead {
    this.#discard()
    this.#failure = { kind: 'malformed', reason }
    return this.#failure
  }
}
