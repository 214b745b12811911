import { addressKey } from '../identity/address-key.ts'
import type { ByteSocket } from '../transport/byte-socket.ts'

/**
 * Counts the sockets that have not logged in. They are many, unknown and cost memory, so they have a cap of their own, apart
 * from the sessions. At the cap a new one takes the place of the oldest of the address that holds most: whoever fills the
 * places with half-open sockets loses them again, and a login from elsewhere gets through. What loses its place is closed
 * without a word, since nothing may be said before TLS.
 */
export class PreAuth {
  readonly #max: number
  readonly #byAddress = new Map<string, Set<ByteSocket>>()
  #size = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  /** @returns how to leave; may be called again, and after the place was lost */
  enter(socket: ByteSocket): () => void {
    if (this.#size >= this.#max) this.#evictOne()
    const address = addressKey(socket.remoteAddress)
    const sockets = this.#byAddress.get(address) ?? new Set()
    this.#byAddress.set(address, sockets.add(socket))
    this.#size += 1
    return () => this.#remove(address, socket)
  }

  #evictOne(): void {
    let fullest: readonly [address: string, sockets: Set<ByteSocket>] | undefined
    for (const entry of this.#byAddress) if (fullest === undefined || entry[1].size > fullest[1].size) fullest = entry
    const [address, sockets] = fullest ?? []
    const [oldest] = sockets ?? []
    if (address === undefined || oldest === undefined) return
    this.#remove(address, oldest)
    oldest.destroy()
  }

  #remove(address: string, socket: ByteSocket): void {
    const sockets = this.#byAddress.get(address)
    if (!sockets?.delete(socket)) return
    this.#size -= 1
    if (sockets.size === 0) this.#byAddress.delete(address)
  }
}
