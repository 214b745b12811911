import type { InstanceId } from '../base/ids.ts'
import { listCatalogDatabaseIds, removeCatalogDatabase } from '../store/catalog-writes.ts'
import type { Store } from '../store/store.ts'

/**
 * Forgets the catalogue of an instance, before the instance itself is removed: in pieces, since a large one would not go within
 * the time of one statement.
 */
export async function forgetCatalogue(deps: { readonly store: Store }, instanceId: InstanceId): Promise<void> {
  const { db } = deps.store
  for (const { id } of await listCatalogDatabaseIds(db, instanceId)) await removeCatalogDatabase(db, id)
}
