import type { ByteSocketHandlers, ConnectedSocket, TlsClientOptions } from '../../transport/byte-socket.ts'
import { GO } from './tunnel-messages.ts'

/**
 * A stream through a tunnel, on the socket by which the tunnels hand it over. Nothing is read from the database before somebody
 * listens: the first thing done with this socket says go.
 */
export class TunnelSocket implements ConnectedSocket {
  readonly remoteAddress = ''
  readonly remotePort = 0
  readonly #below: ConnectedSocket
  #isGoing = false
  #isHeld = false

  constructor(below: ConnectedSocket) {
    this.#below = below
  }

  write(bytes: Uint8Array): number {
    this.#goUnheard()
    return this.#below.write(bytes)
  }

  pause(): void {
    this.#below.pause()
  }

  resume(): void {
    this.#below.resume()
  }

  end(): void {
    this.#goUnheard()
    this.#below.end()
  }

  destroy(): void {
    this.#below.destroy()
  }

  setHandlers(handlers: ByteSocketHandlers): void {
    this.#below.setHandlers(handlers)
    this.#go()
    if (this.#isHeld) this.#below.resume()
    this.#isHeld = false
  }

  upgradeToTls(options: TlsClientOptions): ReturnType<ConnectedSocket['upgradeToTls']> {
    this.#go()
    return this.#below.upgradeToTls(options)
  }

  /** What comes before somebody listens waits in the socket below. */
  #goUnheard(): void {
    if (this.#isGoing) return
    this.#isHeld = true
    this.#below.pause()
    this.#go()
  }

  /** One byte on a socket that has taken nothing since its ticket: it is taken at once, or the socket is closed. */
  #go(): void {
    if (this.#isGoing) return
    this.#isGoing = true
    this.#below.write(GO)
  }
}
