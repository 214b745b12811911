import { runNextSync, type SyncRunner } from '../catalog/run-next-sync.ts'
import { followSyncWishes, scheduleDueSyncs, sweepSyncRuns } from '../catalog/schedule-syncs.ts'
import { Repeated } from './repeated.ts'

/** In case a notification was lost, or the node that had a run is gone. */
const LOOK_MS = 5_000
const SWEEP_MS = 10 * 60_000

/** Reads catalogues in the background: what is asked for, what is due, and what another node left unfinished. */
export class CatalogueSyncs {
  readonly #runner: SyncRunner
  readonly #concurrency: number
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #looking: Repeated
  readonly #sweeping: Repeated
  #unfollow: (() => Promise<void>) | undefined

  /** @param concurrency instances that are read at a time */
  constructor(runner: SyncRunner, concurrency: number) {
    this.#runner = runner
    this.#concurrency = concurrency
    this.#looking = new Repeated(LOOK_MS, () => this.#look(), runner.logger, 'catalogue syncs could not be scheduled')
    this.#sweeping = new Repeated(SWEEP_MS, () => sweepSyncRuns(runner), runner.logger, 'old syncs could not be swept')
  }

  async start(): Promise<void> {
    this.#unfollow = await followSyncWishes(this.#runner, () => this.#fill())
    this.#looking.start()
    this.#sweeping.start()
  }

  /** Lets go of what is being read: another node, or the next start, goes on with it. */
  async close(): Promise<void> {
    this.#looking.stop()
    this.#sweeping.stop()
    this.#stop.abort()
    await Promise.all([this.#unfollow?.(), ...this.#running])
  }

  async #look(): Promise<void> {
    await scheduleDueSyncs(this.#runner)
    this.#fill()
  }

  #fill(): void {
    while (this.#running.size < this.#concurrency && !this.#stop.signal.aborted) {
      const work = this.#work().finally(() => this.#running.delete(work))
      this.#running.add(work)
    }
  }

  async #work(): Promise<void> {
    try {
      while (!this.#stop.signal.aborted && (await runNextSync(this.#runner, this.#stop.signal))) continue
    } catch (error) {
      this.#runner.logger.error({ err: error }, 'catalogue syncs could not go on')
    }
  }
}
