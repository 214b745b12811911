import { randomUUID } from 'node:crypto'
import { chmodSync } from 'node:fs'
import type { TunnelOrder, TunnelTicket } from '../dialer/ssh/tunnel-messages.ts'
import { claimSocketFolder } from '../postgres-server/socket-folder.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChildConfig, MessageFromChild, TunnelsBootstrap } from './child-messages.ts'
import type { DataFolder } from './data-folder.ts'
import { SupervisedChild } from './supervised-child.ts'
import type { SystemUsers } from './system-users.ts'

interface TunnelProcessOptions {
  readonly config: () => ChildConfig
  readonly folder: Pick<DataFolder, 'path'>
  readonly users: SystemUsers
  readonly socketRoot: string
  readonly logger: Logger
  readonly output: number
}

interface PendingOrder {
  readonly order: TunnelOrder
  readonly answer: (ticket: TunnelTicket | undefined) => void
  readonly timer: ReturnType<typeof setTimeout>
}

/** Streams have ended with the processes that used them. */
const DRAIN_MS = 0

/**
 * The process of the SSH tunnels, as the supervisor sees it: started by the first order, so it costs nothing where no data source
 * has SSH servers, and from then on kept alive like the others. Orders that come while it is away wait for it, as long as whoever
 * placed them does.
 */
export class TunnelProcess {
  readonly #options: TunnelProcessOptions
  readonly #pending = new Map<string, PendingOrder>()
  #child: SupervisedChild | undefined
  #isStopping = false

  constructor(options: TunnelProcessOptions) {
    this.#options = options
  }

  /** @returns undefined when it cannot be had in time */
  order(order: TunnelOrder): Promise<TunnelTicket | undefined> {
    return new Promise((answer) => {
      if (this.#isStopping) return answer(undefined)
      const id = randomUUID()
      const timer = setTimeout(() => this.#settle(id, undefined), order.timeoutMs)
      this.#pending.set(id, { order, answer, timer })
      this.#child ??= this.#start()
      if (this.#child.isReady) this.#child.send({ type: 'tunnel-order', id, order })
    })
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    for (const id of this.#pending.keys()) this.#settle(id, undefined)
    await this.#child?.stop(DRAIN_MS)
  }

  #start(): SupervisedChild {
    const { folder, logger, output } = this.#options
    const child = new SupervisedChild({
      role: 'tunnels',
      logger,
      output,
      cwd: folder.path,
      bootstrap: async () => this.#bootstrap(),
      onReady: () => this.#sendPending(),
      onMessage: (message) => this.#receive(message),
    })
    child.start().catch((error: unknown) => {
      if (this.#isStopping) return
      logger.error({ err: error }, 'the process of the SSH tunnels could not be started')
      // The next order tries again.
      this.#child = undefined
      for (const id of this.#pending.keys()) this.#settle(id, undefined)
    })
    return child
  }

  #bootstrap(): TunnelsBootstrap {
    const { config, users, socketRoot } = this.#options
    const socketFolder = claimSocketFolder(socketRoot, 'tunnels', users.own)
    // Whoever asks for tunnels runs as the same user.
    chmodSync(socketFolder, 0o700)
    return {
      type: 'bootstrap',
      config: config(),
      user: users.own && { uid: users.own.uid, gid: users.own.gid },
      socketFolder,
    }
  }

  /** To a new process: what the one before it did not answer. */
  #sendPending(): void {
    for (const [id, { order }] of this.#pending) this.#child?.send({ type: 'tunnel-order', id, order })
  }

  #receive(message: MessageFromChild): void {
    if (message.type === 'tunnel-answer') this.#settle(message.id, message.ticket)
  }

  #settle(id: string, ticket: TunnelTicket | undefined): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    clearTimeout(pending?.timer)
    pending?.answer(ticket)
  }
}
