import type { Clock } from '../base/clock.ts'
import { withDeadline } from '../base/deadline.ts'
import type { Store } from '../store/store.ts'
import { readStoreState } from '../store/workspaces.ts'

/** Whether this node should get new work, and what keeps it from that. */
export type Readiness =
  | { readonly isReady: true }
  | { readonly isReady: false; readonly problem: 'STORE_UNAVAILABLE' | 'CLOCK_WRONG'; readonly detail: string }

const storeDeadlineMs = 2_000
const clockToleranceMs = 5_000

/**
 * Ready means: the metadata store answers and takes changes, and this node's clock is within five seconds of the store's. Expiry of tokens is
 * judged by the node's clock, so a node whose clock is wrong would refuse good ones or accept dead ones.
 */
export async function checkReadiness(deps: { readonly store: Store; readonly clock: Clock }): Promise<Readiness> {
  let state: { readonly now: Date; readonly takesChanges: boolean }
  try {
    state = await withDeadline(readStoreState(deps.store.db), storeDeadlineMs, 'STORE_UNAVAILABLE', 'no answer')
  } catch {
    // Whatever the failure, a store that cannot tell the time cannot serve a login.
    return { isReady: false, problem: 'STORE_UNAVAILABLE', detail: 'The metadata store does not answer' }
  }
  if (!state.takesChanges) {
    return { isReady: false, problem: 'STORE_UNAVAILABLE', detail: 'The metadata store takes no changes' }
  }
  const offsetMs = deps.clock.now().getTime() - state.now.getTime()
  if (Math.abs(offsetMs) <= clockToleranceMs) return { isReady: true }
  const detail = `The clock of this node is ${Math.round(offsetMs / 1000)} s off the clock of the metadata store`
  return { isReady: false, problem: 'CLOCK_WRONG', detail }
}
