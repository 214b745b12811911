import type { ByteSocket, ByteSocketHandlers } from '../byte-socket.ts'

/** Seconds-scale default of Linux is two hours: too late to notice a peer that vanished. */
const KEEP_ALIVE_DELAY_MS = 60_000
/** Every chunk is a copy in memory of its own. From this size on it is worth a call to free it before the collector does. */
const FREED_AT_ONCE_BYTES = 8 * 1024

/**
 * A ByteSocket over Bun's native socket. The native handlers are shared by all sockets and find theirs by `socket.data`, so
 * a socket costs one object and no closures.
 *
 * What the runtime reports while nobody listens (no handlers yet, or paused within a read) waits in `#unread`, in order;
 * the runtime is paused meanwhile, so that is one read at most. A close with an error is told at once and drops it.
 *
 * @see docs of Bun.Socket; the facts behind each workaround are in the README of this folder
 */
export class NativeSocket implements ByteSocket {
  readonly remoteAddress: string
  readonly remotePort: number
  #native: Bun.Socket<NativeSocket> | undefined
  #handlers: ByteSocketHandlers | undefined
  #unread: Uint8Array[] = []
  #paused = false
  /** The last write did not take all, and no drain came since. */
  #full = false
  #destroyed = false
  #peerEnded = false
  #endTold = false
  #closed: { readonly error: Error | undefined } | undefined
  #closeTold = false
  #failure: Error | undefined
  #deliveryPlanned = false
  /** Set once TLS took the connection over: the runtime goes on reporting its ciphertext here. */
  #successor: NativeSocket | undefined

  constructor(remoteAddress: string, remotePort: number) {
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
  }

  protected get native(): Bun.Socket<NativeSocket> | undefined {
    return this.#native
  }

  attach(native: Bun.Socket<NativeSocket>): void {
    this.#native = native
  }

  write(bytes: Uint8Array): number {
    if (this.#native === undefined || this.#closed !== undefined) return -1
    const taken = this.#native.write(bytes)
    this.#full = taken >= 0 && taken < bytes.length
    return taken
  }

  pause(): void {
    this.#paused = true
    this.#native?.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#hasUntold()) this.#planDelivery()
    else this.#native?.resume()
  }

  end(): void {
    this.#native?.shutdown()
  }

  destroy(): void {
    if (this.#successor !== undefined) {
      this.#successor.destroy()
      return
    }
    this.#destroyed = true
    this.#unread = []
    this.#paused = false
    // terminate() resets, which throws away what the kernel has already taken, such as an ErrorResponse; but close() waits
    // seconds for a peer that does not read to take the goodbye of TLS.
    if (this.#full) this.#native?.terminate()
    else this.#native?.close()
    if (this.#hasUntold()) this.#planDelivery()
  }

  setHandlers(handlers: ByteSocketHandlers): void {
    this.#handlers = handlers
    if (this.#hasUntold()) this.#planDelivery()
  }

  /** Hands the connection to its TLS layer: nothing is reported here any more, and `destroy` goes there. */
  succeedBy(successor: NativeSocket): { native: Bun.Socket<NativeSocket>; unread: readonly Uint8Array[] } {
    if (this.#native === undefined || this.#closed !== undefined) throw connectionClosed(this.#closed?.error)
    if (this.#successor !== undefined) throw new Error('a socket is upgraded to TLS once')
    this.#successor = successor
    const unread = this.#unread
    this.#unread = []
    if (this.#paused || unread.length > 0) this.#native.resume()
    return { native: this.#native, unread }
  }

  /** The runtime's events, called by the shared native handlers. */

  received(chunk: Uint8Array): void {
    if (this.#successor !== undefined) {
      free(chunk)
      return
    }
    if (this.#handlers !== undefined && !this.#paused && this.#unread.length === 0) {
      this.#handlers.onData(chunk)
      free(chunk)
      return
    }
    this.#unread.push(chunk)
    this.#native?.pause()
  }

  drained(): void {
    this.#full = false
    if (this.#successor === undefined) this.#handlers?.onDrain()
  }

  peerEnded(): void {
    if (this.#successor !== undefined) return
    this.#peerEnded = true
    this.#deliver()
  }

  /** A handler threw, or TLS failed after its handshake: the connection is of no more use. */
  failed(error: Error): void {
    if (this.#successor !== undefined) return
    this.#failure ??= error
    this.#native?.terminate()
  }

  closed(error: Error | undefined): void {
    if (this.#successor !== undefined || this.#closed !== undefined) return
    this.#closed = { error: this.#failure ?? error }
    if (this.#closed.error !== undefined) {
      // What is still unread is of no use any more, and a paused reader must learn of it too.
      this.#unread = []
      this.#endTold = true
      this.#paused = false
    } else if (!this.#destroyed) {
      // Both sides ended: of the second one the runtime tells the close alone.
      this.#peerEnded = true
    }
    this.#planDelivery()
  }

  #hasUntold(): boolean {
    return (
      this.#unread.length > 0 || (this.#peerEnded && !this.#endTold) || (this.#closed !== undefined && !this.#closeTold)
    )
  }

  /** In a microtask: whoever called `setHandlers` or `resume` is not called back from within. */
  #planDelivery(): void {
    if (this.#deliveryPlanned) return
    this.#deliveryPlanned = true
    queueMicrotask(() => {
      this.#deliveryPlanned = false
      this.#deliver()
      if (!this.#paused && this.#handlers !== undefined && this.#successor === undefined) this.#native?.resume()
    })
  }

  /** Tells what is untold, in order: bytes, end, close. */
  #deliver(): void {
    if (this.#handlers === undefined) return
    for (;;) {
      if (this.#paused || this.#successor !== undefined) return
      const chunk = this.#unread.shift()
      if (chunk === undefined) break
      this.#guard(() => this.#handlers?.onData(chunk))
      free(chunk)
    }
    if (this.#peerEnded && !this.#endTold) {
      this.#endTold = true
      this.#guard(() => this.#handlers?.onEnd())
    }
    if (this.#closed !== undefined && !this.#closeTold) {
      this.#closeTold = true
      this.#handlers.onClose(this.#closed.error)
    }
  }

  #guard(handler: () => void): void {
    try {
      handler()
    } catch (thrown) {
      this.failed(thrown as Error)
    }
  }
}

/**
 * Gives the memory of a chunk back, so that the next one takes the same: left to the collector, a flow of large chunks runs
 * through ever new memory, and the kernel's work for it is an eighth of what relaying costs. The chunk is empty from then on.
 */
function free(chunk: Uint8Array): void {
  // Not even looked at for small ones: reading `buffer` alone makes the runtime allocate an ArrayBuffer.
  if (chunk.length < FREED_AT_ONCE_BYTES) return
  const { buffer } = chunk
  if (buffer.byteLength === chunk.length) (buffer as ArrayBuffer).transfer(0)
}

/** Settings of every connection: no waiting for more bytes to send, and a probe for peers that vanished. */
export function tune(native: Bun.Socket<NativeSocket>): void {
  native.setNoDelay(true)
  native.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
}

/** The native handlers of all sockets. `open` differs by the side. */
export const nativeEvents = {
  data: (native: Bun.Socket<NativeSocket>, chunk: Uint8Array) => native.data.received(chunk),
  drain: (native: Bun.Socket<NativeSocket>) => native.data.drained(),
  end: (native: Bun.Socket<NativeSocket>) => native.data.peerEnded(),
  close: (native: Bun.Socket<NativeSocket>, error?: Error) => native.data.closed(error),
  error: (native: Bun.Socket<NativeSocket>, error: Error) => native.data.failed(error),
}

function connectionClosed(cause: Error | undefined): Error {
  return Object.assign(new Error('the connection is closed', { cause }), { code: 'ECONNRESET' })
}
