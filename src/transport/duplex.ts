import { Duplex } from 'node:stream'
import type { ByteSocket } from './byte-socket.ts'

/**
 * The socket as a stream of Node, for drivers that want one. Takes over the socket's handlers.
 *
 * Back-pressure goes both ways: the socket is paused while the reader is slow, and a write is done when the socket took all of it.
 * The peer's end ends our side too once everything is written, as with `net.Socket`. A close with an error is an `error` event.
 */
export function toDuplex(socket: ByteSocket): Duplex {
  return new SocketDuplex(socket)
}

class SocketDuplex extends Duplex {
  readonly #socket: ByteSocket
  #unsent: Uint8Array | undefined
  #sent: ((error?: Error | null) => void) | undefined

  constructor(socket: ByteSocket) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.setHandlers({
      onData: (chunk) => {
        // A copy: the chunk is the runtime's, and a reader may keep it for long.
        if (!this.push(Buffer.from(chunk))) socket.pause()
      },
      onDrain: () => this.#send(),
      onEnd: () => this.push(null),
      onClose: (error) => this.#closed(error),
    })
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#unsent = chunk
    this.#sent = callback
    this.#send()
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end()
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy()
    callback(error)
  }

  #send(): void {
    if (this.#unsent === undefined) return
    const taken = this.#unsent.length === 0 ? 0 : this.#socket.write(this.#unsent)
    if (taken < 0) return this.#writeDone(brokenPipe())
    this.#unsent = this.#unsent.subarray(taken)
    if (this.#unsent.length === 0) this.#writeDone()
  }

  #writeDone(error?: Error): void {
    const done = this.#sent
    this.#unsent = undefined
    this.#sent = undefined
    done?.(error)
  }

  #closed(error: Error | undefined): void {
    if (error !== undefined) {
      this.destroy(error)
      return
    }
    if (!this.readableEnded && !this.destroyed) this.push(null)
    if (this.#sent !== undefined) this.#writeDone(brokenPipe())
  }
}

function brokenPipe(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'EPIPE' })
}
