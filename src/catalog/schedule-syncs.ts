import type { Store } from '../store/store.ts'
import { forgetOldSyncRuns, listDueInstances, SYNC_CHANNEL } from '../store/sync-runs.ts'
import { requestSync } from './request-sync.ts'

/** Instances that are asked for in one go. */
const DUE_AT_ONCE = 100
/** Runs that are kept of every instance. */
const RUNS_KEPT = 50

/** Asks for every instance whose interval (`sync_interval_seconds`) has passed since it was last read. Any node may do it. */
export async function scheduleDueSyncs(deps: { readonly store: Store }): Promise<void> {
  for (const instanceId of await listDueInstances(deps.store.db, DUE_AT_ONCE)) {
    await requestSync(deps.store.db, instanceId, { reason: 'schedule' })
  }
}

/** Forgets all but the newest runs of every instance. */
export async function sweepSyncRuns(deps: { readonly store: Store }): Promise<void> {
  await forgetOldSyncRuns(deps.store.db, RUNS_KEPT)
}

/** Calls `onWish` whenever some run may be waiting. @returns call it to stop */
export function followSyncWishes(deps: { readonly store: Store }, onWish: () => void): Promise<() => Promise<void>> {
  return deps.store.listen(SYNC_CHANNEL, onWish, onWish)
}
