import { asPosternError, type PosternError } from '../base/errors.ts'
import { claimSyncRun, endSyncRun, keepSyncRun, releaseSyncRun, type SyncRunRow } from '../store/sync-runs.ts'
import type { SyncDependencies } from './catalog-dependencies.ts'
import { LeaseLost } from './in-lease.ts'
import { syncInstance } from './sync-instance.ts'
import { SyncTally } from './sync-tally.ts'

/** A node that died is noticed after this. */
const LEASE_SECONDS = 30
/** Progress is written, the lease kept and a wish to cancel noticed this often. */
const HEARTBEAT_MS = 1_000
/** A run that ends its node each time must not do so for ever. */
const ATTEMPTS_MAX = 5

export interface SyncRunner extends SyncDependencies {
  /** This process, and no other one. */
  readonly holder: string
  readonly logger: { error(fields: object, text: string): void; info(fields: object, text: string): void }
}

/**
 * Takes up the next run that waits, or whose node is gone, and reads the catalogue of its instance. How it ends stands in the
 * run: `DONE` also where some databases or schemas could not be read.
 *
 * @param stop aborted when this node ends: the run is let go of, and another node goes on with it
 * @returns false when nothing waits
 * @throws PosternError STORE_UNAVAILABLE when no run could be taken up
 */
export async function runNextSync(runner: SyncRunner, stop: AbortSignal): Promise<boolean> {
  const run = await claimSyncRun(runner.store.db, runner.holder, LEASE_SECONDS)
  if (run === undefined) return false
  const tally = new SyncTally()
  const cancel = new AbortController()
  const heartbeat = beat(runner, run, tally, cancel)
  try {
    if (run.attempts > ATTEMPTS_MAX) {
      const failure = `it was begun ${ATTEMPTS_MAX} times and never ended`
      await end(runner, run, tally, 'FAILED', { code: 'INTERNAL', message: failure })
      return true
    }
    if (run.cancelRequested) cancel.abort()
    await syncInstance(runner, run, runner.holder, tally, AbortSignal.any([stop, cancel.signal]))
    await end(runner, run, tally, 'DONE')
  } catch (thrown) {
    await settle(runner, run, tally, thrown, { stop, cancel: cancel.signal })
  } finally {
    heartbeat.stop()
  }
  return true
}

async function settle(
  runner: SyncRunner,
  run: SyncRunRow,
  tally: SyncTally,
  thrown: unknown,
  signals: { readonly stop: AbortSignal; readonly cancel: AbortSignal },
): Promise<void> {
  if (thrown instanceof LeaseLost) return
  if (signals.stop.aborted) return releaseSyncRun(runner.store.db, run.id, runner.holder)
  if (signals.cancel.aborted) return end(runner, run, tally, 'CANCELLED')
  const error = asPosternError(thrown)
  // The lease ends by itself, and the run is taken up again.
  if (error.code === 'STORE_UNAVAILABLE') return
  if (error.code === 'INTERNAL') runner.logger.error({ err: thrown, runId: run.id }, 'catalogue sync failed')
  await end(runner, run, tally, 'FAILED', error)
}

async function end(
  runner: SyncRunner,
  run: SyncRunRow,
  tally: SyncTally,
  state: 'DONE' | 'FAILED' | 'CANCELLED',
  failure?: Pick<PosternError, 'code' | 'message'>,
): Promise<void> {
  await endSyncRun(runner.store.db, run.id, runner.holder, {
    state,
    progress: tally.progress(),
    ...(failure && { failureCode: failure.code, failure: failure.message }),
  })
  const { databasesDone, schemasDone, tablesDone, problemCount } = tally
  const counts = { databasesDone, schemasDone, tablesDone, problemCount, code: failure?.code }
  runner.logger.info({ runId: run.id, instanceId: run.instanceId, state, ...counts }, 'catalogue sync ended')
}

function beat(runner: SyncRunner, run: SyncRunRow, tally: SyncTally, cancel: AbortController): { stop(): void } {
  let timer: ReturnType<typeof setTimeout>
  let stopped = false
  const again = (): void => {
    if (!stopped) timer = setTimeout(() => void once(), HEARTBEAT_MS)
  }
  const once = async (): Promise<void> => {
    try {
      const kept = await keepSyncRun(runner.store.db, run.id, runner.holder, LEASE_SECONDS, tally.progress())
      if (kept !== 'kept') cancel.abort()
    } catch {
      // The store is away: each write of the reading finds out for itself, and the lease ends if that lasts.
    }
    again()
  }
  again()
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
