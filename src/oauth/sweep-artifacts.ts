import type { Clock } from '../base/clock.ts'
import { deleteExpiredOauthArtifacts } from '../store/oauth-artifacts.ts'
import type { Store } from '../store/store.ts'
import { artifactKeptAfterExpiryMs } from './postgres-adapter.ts'

const batchSize = 5_000

/** Forgets sessions, codes and tokens that expired, in batches that keep nobody waiting. Any number of nodes may do it. */
export async function sweepOauthArtifacts(deps: { readonly store: Store; readonly clock: Clock }): Promise<void> {
  const before = new Date(deps.clock.now().getTime() - artifactKeptAfterExpiryMs)
  let deleted = batchSize
  while (deleted === batchSize) deleted = await deleteExpiredOauthArtifacts(deps.store.db, before, batchSize)
}
