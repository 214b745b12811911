import type { Socket } from 'node:net'

/**
 * What a socket receives while a login is read, one piece at a time. Nothing is read ahead, so that a peer who sends without
 * end fills no memory; `release` hands the socket over to the relay.
 */
export class IncomingBytes {
  readonly #socket: Socket
  #ended = false
  #piece: Uint8Array | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.pause()
  }

  /** The next piece; undefined once the peer has closed. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#piece === undefined && !this.#ended) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      this.#socket.resume()
      await woken
    }
    const piece = this.#piece
    this.#piece = undefined
    return piece
  }

  /** Stops listening; the socket stays paused. */
  release(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
  }

  readonly #onData = (chunk: Uint8Array) => {
    this.#socket.pause()
    this.#piece = this.#piece === undefined ? chunk : Buffer.concat([this.#piece, chunk])
    this.#wake?.()
  }

  readonly #onEnd = () => {
    this.#ended = true
    this.#wake?.()
  }
}
