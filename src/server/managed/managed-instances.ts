import { setTimeout as sleep } from 'node:timers/promises'
import { listManagedInstances, MANAGED_CHANNEL } from '../../store/managed-instances.ts'
import { type KeeperDependencies, ManagedKeeper } from './managed-keeper.ts'

interface ManagedInstancesDependencies extends KeeperDependencies {
  readonly nodeId: string
}

/** Between notifications, in case one was lost. */
const POLL_MS = 5_000

/** The managed instances of this node: brings each into its desired state, all of them at the same time. */
export class ManagedInstances {
  readonly #deps: ManagedInstancesDependencies
  readonly #keepers = new Map<string, ManagedKeeper>()
  #reading: Promise<void> | undefined
  #readAgain = false
  #closed = false
  #poll: ReturnType<typeof setInterval> | undefined
  #stopListening: (() => Promise<void>) | undefined

  constructor(deps: ManagedInstancesDependencies) {
    this.#deps = deps
  }

  /** Begins. Resolves when every instance has settled, or after `patienceMs`: a slow one holds nobody up. */
  async start(patienceMs: number): Promise<void> {
    const wake = (): void => void this.#read()
    this.#stopListening = await this.#deps.store.listen(MANAGED_CHANNEL, wake, wake)
    this.#poll = setInterval(wake, POLL_MS)
    await this.#read()
    const patience = new AbortController()
    const settled = Promise.all([...this.#keepers.values()].map((keeper) => keeper.settled()))
    await Promise.race([settled, sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)])
    patience.abort()
  }

  /** Stops every server; what is desired stays in the store. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#poll)
    await this.#stopListening?.()
    // A reading that is under way sees that it came too late: its store may hang.
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.close()))
  }

  /** Reads the desired states; a wish to read that comes while reading is granted afterwards. */
  #read(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#readAgain = this.#reading !== undefined
    this.#reading ??= this.#readOnce()
      .catch((error: unknown) => {
        this.#deps.logger.warn({ err: error }, 'the desired states of managed instances could not be read')
      })
      .finally(() => {
        this.#reading = undefined
        if (this.#readAgain) void this.#read()
      })
    return this.#reading
  }

  async #readOnce(): Promise<void> {
    const rows = await listManagedInstances(this.#deps.store.db, this.#deps.nodeId)
    if (this.#closed) return
    const ids = new Set<string>(rows.map((row) => row.instanceId))
    for (const [id, keeper] of this.#keepers) {
      if (ids.has(id)) continue
      this.#keepers.delete(id)
      // Deleted by us, or its row is gone from the store: then its files stay, and only the server ends.
      void keeper.close()
    }
    for (const row of rows) {
      const keeper = this.#keepers.get(row.instanceId) ?? new ManagedKeeper(this.#deps, row)
      this.#keepers.set(row.instanceId, keeper)
      keeper.reconcile(row)
    }
  }
}
