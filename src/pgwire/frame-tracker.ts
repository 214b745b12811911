const HEADER_LENGTH = 5
const READY_FOR_QUERY = 0x5a // Z
/** What a server sends on its own while a session is idle: NoticeResponse, NotificationResponse, ParameterStatus. */
const UNPROMPTED = [0x4e, 0x41, 0x53]

/** What a session does, as far as the server's messages tell: `transaction` is idle inside one, `failed` idle inside an aborted one. */
export type SessionActivity = 'active' | 'idle' | 'transaction' | 'failed'

/**
 * Follows the server's messages through the relay without copying or keeping a byte of them: it reads type and length of
 * each, and the status byte of ReadyForQuery. Chunks may be cut anywhere.
 *
 * States: in a header (`#headerBytes` of 5 are read) ⇄ in a body (`#bodyBytes` are still to come); a length below 4
 * leads to `lost`, which is final: nothing more is claimed about the stream, the relay itself does not care.
 * With several requests on their way (pipelining) the first ReadyForQuery already reads as idle, until the answer to the next begins.
 */
export class FrameTracker {
  #headerBytes = 0
  #type = 0
  #length = 0
  #bodyBytes = 0
  #activity: SessionActivity = 'active'
  #lost = false

  /** True between two messages: the place where a message of our own may be put in. */
  get atMessageBoundary(): boolean {
    return !this.#lost && this.#headerBytes === 0
  }

  get activity(): SessionActivity {
    return this.#activity
  }

  /** Tell it when the client sent something: the session is active until the next ReadyForQuery. */
  clientSent(): void {
    this.#activity = 'active'
  }

  /** Tell it all bytes from the server, in order. */
  serverSent(chunk: Uint8Array): void {
    const end = chunk.length
    let at = 0
    while (at < end && !this.#lost)
      at = this.#headerBytes === HEADER_LENGTH ? this.#body(chunk, at) : this.#header(chunk, at)
  }

  #header(chunk: Uint8Array, start: number): number {
    let at = start
    if (this.#headerBytes === 0) {
      this.#beginMessage(chunk[at++] as number)
      this.#headerBytes = 1
    }
    while (this.#headerBytes < HEADER_LENGTH && at < chunk.length) {
      this.#length = (this.#length << 8) | (chunk[at++] as number)
      this.#headerBytes++
    }
    if (this.#headerBytes === HEADER_LENGTH) {
      this.#bodyBytes = this.#length - 4
      if (this.#bodyBytes < 0) this.#lose()
      else if (this.#bodyBytes === 0) this.#headerBytes = 0
    }
    return at
  }

  #body(chunk: Uint8Array, at: number): number {
    const atStart = this.#bodyBytes === this.#length - 4
    if (atStart && this.#type === READY_FOR_QUERY) this.#activity = activityOf(chunk[at] as number)
    const taken = Math.min(this.#bodyBytes, chunk.length - at)
    this.#bodyBytes -= taken
    if (this.#bodyBytes === 0) this.#headerBytes = 0
    return at + taken
  }

  #beginMessage(type: number): void {
    this.#type = type
    this.#length = 0
    if (type !== READY_FOR_QUERY && !UNPROMPTED.includes(type)) this.#activity = 'active'
  }

  #lose(): void {
    this.#lost = true
    this.#activity = 'active'
  }
}

function activityOf(status: number): SessionActivity {
  if (status === 0x49) return 'idle'
  if (status === 0x54) return 'transaction'
  return status === 0x45 ? 'failed' : 'active'
}
