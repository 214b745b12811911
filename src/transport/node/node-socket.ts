import type { Socket } from 'node:net'
import type { ByteSocket, ByteSocketHandlers } from '../byte-socket.ts'

/** Seconds-scale default of Linux is two hours: too late to notice a peer that vanished. */
const KEEP_ALIVE_DELAY_MS = 60_000
/** A stream of Node takes any amount into memory: this is how much of it is given at one time. */
const WRITE_MAX_BYTES = 256 * 1024
/** How long a destroyed socket goes on sending what `write` took, as the kernel does for a closed one. */
const LINGER_MS = 30_000

/**
 * A ByteSocket over a stream of `node:net` or `node:tls`, which may be half open.
 *
 * Such a stream buffers what it is given and calls back once the kernel has it. So at most one write of bounded size is under
 * way; until it is done `write` takes nothing. The stream flows only while there are handlers and nobody paused, so that
 * bytes and the end wait in it, in order, with its own bounded buffer.
 */
export class NodeSocket implements ByteSocket {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #stream: Socket
  #handlers: ByteSocketHandlers | undefined
  #paused = false
  /** Somebody was told to wait for `onDrain`. */
  #awaited = false
  #finished = false
  #failure: Error | undefined
  #closed = false
  #closeTold = false
  /** Set once TLS took the connection over. */
  #successor: ByteSocket | undefined

  constructor(stream: Socket, remoteAddress = stream.remoteAddress, remotePort = stream.remotePort) {
    this.#stream = stream
    this.remoteAddress = remoteAddress ?? ''
    this.remotePort = remotePort ?? 0
    stream.pause()
    stream.on('data', (chunk: Buffer) => this.#guard(() => this.#handlers?.onData(chunk)))
    stream.on('end', () => this.#guard(() => this.#handlers?.onEnd()))
    stream.on('error', (error) => {
      this.#failure ??= error
      // An alert of TLS after the handshake is an error that closes nothing by itself.
      stream.destroy()
    })
    stream.on('close', () => {
      this.#closed = true
      this.#tellClose()
    })
  }

  write(bytes: Uint8Array): number {
    if (this.#finished || this.#closed || this.#stream.destroyed) return -1
    if (this.#stream.writableLength > 0) {
      this.#awaited = true
      return 0
    }
    const taken = Math.min(bytes.length, WRITE_MAX_BYTES)
    this.#awaited = taken < bytes.length
    // A copy: the bytes are the caller's again when this returns, and the stream may still hold them.
    this.#stream.write(Buffer.from(bytes.subarray(0, taken)), this.#written)
    return taken
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#handlers !== undefined) this.#stream.resume()
  }

  end(): void {
    if (this.#finished) return
    this.#finished = true
    this.#stream.end()
  }

  destroy(): void {
    if (this.#successor !== undefined) {
      this.#successor.destroy()
      return
    }
    this.#handlers = this.#handlers && { ...this.#handlers, onData() {}, onEnd() {}, onDrain() {} }
    this.#finished = true
    // What the last write took whole still goes out, and a goodbye with it: to the caller the kernel has it, though it may be
    // the stream. A caller that was told to wait knows that it gives up the rest, and does not mean to wait for the peer.
    if (this.#awaited) this.#stream.destroy()
    else this.#destroyOnceSent()
  }

  #destroyOnceSent(): void {
    this.#stream.destroySoon()
    if (this.#stream.destroyed) return
    const timer = setTimeout(() => this.#stream.destroy(), LINGER_MS).unref()
    this.#stream.once('close', () => clearTimeout(timer))
  }

  setHandlers(handlers: ByteSocketHandlers): void {
    this.#handlers = handlers
    if (this.#closed) queueMicrotask(() => this.#tellClose())
    else if (!this.#paused) this.#stream.resume()
  }

  /** Hands the connection to its TLS layer: nothing is reported here any more, and `destroy` goes there. */
  succeedBy(above: (stream: Socket) => ByteSocket): void {
    if (this.#successor !== undefined) throw new Error('a socket is upgraded to TLS once')
    if (this.#closed || this.#stream.destroyed) throw connectionClosed(this.#failure)
    // Flowing, it would drop what is put back into it.
    this.#stream.pause()
    this.#stream.removeAllListeners('data')
    this.#stream.removeAllListeners('end')
    this.#handlers = undefined
    try {
      this.#successor = above(this.#stream)
    } catch (thrown) {
      // A certificate or key that does not parse.
      this.#stream.destroy()
      throw thrown
    }
  }

  readonly #written = (): void => {
    if (!this.#awaited || this.#stream.destroyed) return
    this.#awaited = false
    this.#guard(() => this.#handlers?.onDrain())
  }

  #tellClose(): void {
    if (this.#closeTold || this.#handlers === undefined) return
    this.#closeTold = true
    this.#handlers.onClose(this.#failure)
  }

  /** A handler that throws closes its own connection. */
  #guard(handler: () => void): void {
    try {
      handler()
    } catch (thrown) {
      this.#failure ??= thrown as Error
      this.#stream.destroy()
    }
  }
}

/** Settings of every connection: no waiting for more bytes to send, and a probe for peers that vanished. */
export function tune(stream: Socket): void {
  stream.setNoDelay(true)
  stream.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
}

/** What a handshake rejects with when the connection was gone before it was done. */
export function connectionClosed(cause: Error | undefined): Error {
  return Object.assign(new Error('the connection is closed', { cause }), { code: 'ECONNRESET' })
}
