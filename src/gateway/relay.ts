import { FrameTracker } from '../pgwire/frame-tracker.ts'
import type { ByteSocket } from '../transport/byte-socket.ts'

const lingerMs = 5_000
const nothing = new Uint8Array()

/** What a relay starts with: bytes that are still to be sent in each direction. */
export interface RelayStart {
  readonly toClient: Uint8Array
  readonly toUpstream: Uint8Array
}

/**
 * Relays bytes between a client and its upstream until both are gone: nothing is parsed, changed or kept. Back-pressure: what
 * one side does not take is held (one chunk at most) and the other side is paused until it drains.
 *
 * Each direction: *flowing* ⇄ *held* (a rest waits for `onDrain`, the source is paused) → *ended* (the source half-closed and
 * the rest is sent: the destination is half-closed in turn). When one side is gone the other is sent its rest and closed.
 */
export class Relay {
  readonly #client: ByteSocket
  readonly #upstream: ByteSocket
  readonly #onClosed: () => void
  readonly #frames = new FrameTracker()
  #toClient: Uint8Array
  #toUpstream: Uint8Array
  #clientEnded = false
  #upstreamEnded = false
  #clientGone = false
  #upstreamGone = false
  /** Bytes taken from the client and from the upstream since the relay began. */
  bytesFromClient = 0
  bytesFromUpstream = 0

  constructor(client: ByteSocket, upstream: ByteSocket, start: RelayStart, onClosed: () => void) {
    this.#client = client
    this.#upstream = upstream
    this.#onClosed = onClosed
    this.#toClient = start.toClient
    this.#toUpstream = start.toUpstream
    upstream.setHandlers({
      onData: (chunk) => this.#fromUpstream(chunk),
      onDrain: () => this.#drainToUpstream(),
      onEnd: () => {
        this.#upstreamEnded = true
        if (this.#toClient.length === 0) this.#client.end()
      },
      onClose: () => this.#upstreamClosed(),
    })
    client.setHandlers({
      onData: (chunk) => this.#fromClient(chunk),
      onDrain: () => this.#drainToClient(),
      onEnd: () => {
        this.#clientEnded = true
        if (this.#toUpstream.length === 0) this.#upstream.end()
      },
      onClose: () => this.#clientClosed(),
    })
    if (this.#toUpstream.length > 0) this.#client.pause()
    if (this.#toClient.length > 0) this.#upstream.pause()
    this.#drainToUpstream()
    this.#drainToClient()
  }

  /**
   * Ends the session from our side: the client reads `lastWords` where the stream is between two messages, then both sides
   * are closed.
   */
  terminate(lastWords: Uint8Array): void {
    if (!this.#clientGone && this.#toClient.length === 0 && this.#frames.atMessageBoundary)
      this.#client.write(lastWords)
    this.#upstream.destroy()
  }

  #fromClient(chunk: Uint8Array): void {
    this.bytesFromClient += chunk.length
    this.#frames.clientSent()
    if (this.#upstreamGone) return
    const taken = this.#toUpstream.length > 0 ? 0 : Math.max(0, this.#upstream.write(chunk))
    if (taken === chunk.length) return
    // The chunk belongs to the runtime: what is kept must be copied.
    this.#toUpstream = Buffer.concat([this.#toUpstream, chunk.subarray(taken)])
    this.#client.pause()
  }

  #fromUpstream(chunk: Uint8Array): void {
    this.bytesFromUpstream += chunk.length
    this.#frames.serverSent(chunk)
    if (this.#clientGone) return
    const taken = this.#toClient.length > 0 ? 0 : Math.max(0, this.#client.write(chunk))
    if (taken === chunk.length) return
    this.#toClient = Buffer.concat([this.#toClient, chunk.subarray(taken)])
    this.#upstream.pause()
  }

  #drainToUpstream(): void {
    if (this.#toUpstream.length === 0) return
    const taken = this.#upstream.write(this.#toUpstream)
    if (taken > 0) this.#toUpstream = this.#toUpstream.subarray(taken)
    if (this.#toUpstream.length > 0) return
    this.#toUpstream = nothing
    if (this.#clientEnded) this.#upstream.end()
    this.#client.resume()
  }

  #drainToClient(): void {
    if (this.#toClient.length === 0) return
    const taken = this.#client.write(this.#toClient)
    if (taken > 0) this.#toClient = this.#toClient.subarray(taken)
    if (this.#toClient.length > 0) return
    this.#toClient = nothing
    if (this.#upstreamGone) this.#endClient()
    else if (this.#upstreamEnded) this.#client.end()
    this.#upstream.resume()
  }

  #clientClosed(): void {
    this.#clientGone = true
    this.#drainToUpstream()
    this.#upstream.destroy()
    this.#finishWhenBothGone()
  }

  #upstreamClosed(): void {
    this.#upstreamGone = true
    if (!this.#clientGone) {
      // A paused client would never show that it closed.
      this.#client.resume()
      if (this.#toClient.length === 0) this.#endClient()
    }
    this.#finishWhenBothGone()
  }

  /** All is sent: the client is given a moment to close in turn. */
  #endClient(): void {
    this.#client.end()
    setTimeout(() => this.#client.destroy(), lingerMs).unref()
  }

  #finishWhenBothGone(): void {
    if (this.#clientGone && this.#upstreamGone) this.#onClosed()
  }
}
