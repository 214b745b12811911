import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import { SQL_CANCEL_CHANNEL } from '../store/sql-executions.ts'
import type { Store } from '../store/store.ts'

/** Statements that one principal may run at a time on a node. */
const PER_PRINCIPAL = 10

interface Running {
  readonly principalId: PrincipalId
  readonly abort: AbortController
}

/** The executions of this node, so that they can be cancelled from any node. */
export class RunningExecutions {
  readonly #running = new Map<string, Running>()
  readonly #max: number

  /** @param max statements that may run at a time on this node */
  constructor(max: number) {
    this.#max = max
  }

  /** Hears of cancellations that reached another node. @returns call it to stop */
  follow(store: Pick<Store, 'listen'>): Promise<() => Promise<void>> {
    return store.listen(SQL_CANCEL_CHANNEL, (id) => void this.cancel(id))
  }

  /** @throws PosternError RATE_LIMITED when too many run already */
  enter(id: string, principalId: PrincipalId, abort: AbortController): void {
    const own = [...this.#running.values()].filter((running) => running.principalId === principalId).length
    if (own >= PER_PRINCIPAL || this.#running.size >= this.#max) {
      const whose = own >= PER_PRINCIPAL ? `${own} statements of yours` : 'as many statements as this node takes'
      throw new PosternError('RATE_LIMITED', `${whose} are running already`, {
        hint: 'Wait until one has ended, or cancel it.',
      })
    }
    this.#running.set(id, { principalId, abort })
  }

  leave(id: string): void {
    this.#running.delete(id)
  }

  get count(): number {
    return this.#running.size
  }

  /** Cancels it if it runs here. */
  cancel(id: string): boolean {
    const running = this.#running.get(id)
    running?.abort.abort()
    return running !== undefined
  }

  /** Cancels everything: this node ends. */
  cancelAll(): void {
    for (const { abort } of this.#running.values()) abort.abort()
  }
}
