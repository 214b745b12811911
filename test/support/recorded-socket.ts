import type { ByteSocket } from '../../src/transport/byte-socket.ts'

/**
 * Takes over a byte socket's handlers, records what they are told and lets a test wait for it. Events are kept in order, as
 * `data`, `end` and `close`, so that a test can promise the order.
 */
export class RecordedSocket {
  readonly socket: ByteSocket
  readonly events: ('data' | 'end' | 'close')[] = []
  receivedBytes = 0
  closeError: (Error & { code?: string }) | undefined
  /** Sees every chunk; only what it keeps is kept. */
  onChunk: ((chunk: Uint8Array) => void) | undefined
  #text = ''
  #waiting: (() => void)[] = []

  constructor(socket: ByteSocket, onChunk?: (chunk: Uint8Array) => void) {
    this.socket = socket
    this.onChunk = onChunk
    socket.setHandlers({
      onData: (chunk) => {
        this.receivedBytes += chunk.length
        if (this.#text.length < 65_536) this.#text += Buffer.from(chunk).toString('latin1')
        this.onChunk?.(chunk)
        this.#tell('data')
      },
      onDrain: () => this.#wake(),
      onEnd: () => this.#tell('end'),
      onClose: (error) => {
        this.closeError = error
        this.#tell('close')
      },
    })
  }

  /** The first 64 KiB or so of what came, as latin1. */
  get text(): string {
    return this.#text
  }

  get closed(): boolean {
    return this.events.includes('close')
  }

  count(event: 'data' | 'end' | 'close'): number {
    return this.events.filter((each) => each === event).length
  }

  /** Waits until the condition holds; it is looked at after every event. The test's own time-out bounds it. */
  async until(condition: (recorded: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Writes all of the bytes as the socket takes them. @throws when it closes before */
  async send(bytes: Uint8Array | string): Promise<void> {
    let rest: Uint8Array = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    while (rest.length > 0) {
      const taken = this.socket.write(rest)
      if (taken < 0) throw new Error('the socket is closed')
      rest = rest.subarray(taken)
      if (rest.length > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #tell(event: 'data' | 'end' | 'close'): void {
    if (event !== 'data' || this.events.at(-1) !== 'data') this.events.push(event)
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
