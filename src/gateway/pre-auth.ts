import type { ByteSocket } from '../transport/byte-socket.ts'

/**
 * Counts the sockets that have not logged in. They are many, unknown and cost memory, so they have a cap of their own, apart
 * from the sessions; above it a new one is closed without a word, since nothing may be said before TLS.
 */
export class PreAuth {
  readonly #max: number
  readonly #sockets = new Set<ByteSocket>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#sockets.size
  }

  /** @returns how to leave, once; undefined when the socket was closed instead */
  enter(socket: ByteSocket): (() => void) | undefined {
    if (this.#sockets.size >= this.#max) {
      socket.destroy()
      return undefined
    }
    this.#sockets.add(socket)
    return () => this.#sockets.delete(socket)
  }
}
