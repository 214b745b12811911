import type { Kysely } from 'kysely'
import { withSyncLease, type SyncLease } from '../store/catalog-writes.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** Another node has the run now, or it is gone with its instance: nothing more is written, and nothing is to be told. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/** Writes in one transaction while the lease of the run holds. @throws LeaseLost */
export async function inLease<T>(
  store: Pick<Store, 'db'>,
  lease: SyncLease,
  work: (db: Kysely<Schema>) => Promise<T>,
): Promise<T> {
  const done = await withSyncLease(store, lease, work)
  if (done === undefined) throw new LeaseLost('the run is no longer this node’s')
  return done.result
}
