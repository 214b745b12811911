import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** How the network between two programs misbehaves from now on. */
export type NetworkFault =
  /** Everything passes. */
  | 'none'
  /** Nobody is there: open connections are reset, new ones refused by a reset. */
  | 'gone'
  /** Bytes vanish without a word, on open connections for ever and on new ones until the fault ends. */
  | 'blackhole'
  /** Bytes wait, and pass in order once the fault ends: a server that hangs. */
  | 'frozen'

interface Link {
  readonly near: Socket
  readonly far: Socket
  /** Bytes were lost: nothing that follows would make sense. */
  isBroken: boolean
}

/**
 * A TCP relay on loopback whose network can be made to fail: what a program sees when the other side is stopped, hung, far
 * away or cut off. Point the program at `port`; call `stop` in afterAll.
 */
export class FaultRelay {
  readonly port: number
  readonly #stop: () => Promise<void>
  readonly #links = new Set<Link>()
  #fault: NetworkFault = 'none'
  #latencyMs = 0

  private constructor(port: number, stop: () => Promise<void>) {
    this.port = port
    this.#stop = stop
  }

  static async start(targetPort: number): Promise<FaultRelay> {
    const server = createServer({ allowHalfOpen: false, pauseOnConnect: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const relay = new FaultRelay((server.address() as AddressInfo).port, async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      relay.reset()
      await closed
    })
    server.on('connection', (near) => relay.#accept(near, targetPort))
    return relay
  }

  /** The fault from now on; `none` ends it. */
  set fault(fault: NetworkFault) {
    this.#fault = fault
    if (fault === 'gone') this.reset()
    for (const link of this.#links) {
      if (fault === 'blackhole') link.isBroken = true
      for (const socket of [link.near, link.far]) {
        if (fault === 'frozen') socket.pause()
        else socket.resume()
      }
    }
  }

  /** Time that every piece takes, in each direction. */
  set latencyMs(latencyMs: number) {
    this.#latencyMs = latencyMs
  }

  /** Resets every open connection, once. */
  reset(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  stop(): Promise<void> {
    return this.#stop()
  }

  #accept(near: Socket, targetPort: number): void {
    near.on('error', () => undefined)
    if (this.#fault === 'gone') {
      near.resetAndDestroy()
      return
    }
    const far = connect({ host: '127.0.0.1', port: targetPort })
    const link: Link = { near, far, isBroken: this.#fault === 'blackhole' }
    this.#links.add(link)
    this.#pipe(link, near, far)
    this.#pipe(link, far, near)
    if (this.#fault === 'frozen') far.pause()
    else near.resume()
  }

  #pipe(link: Link, from: Socket, to: Socket): void {
    from.setNoDelay(true)
    from.on('error', () => undefined)
    from.on('data', (chunk) => this.#later(() => !link.isBroken && to.writable && to.write(chunk)))
    from.on('close', () =>
      this.#later(() => {
        this.#links.delete(link)
        to.destroy()
      }),
    )
  }

  // One delay for all pieces keeps their order: timers of the same length fire in the order in which they were set.
  #later(action: () => unknown): void {
    if (this.#latencyMs === 0) action()
    else setTimeout(action, this.#latencyMs)
  }
}
