import type { Transaction } from 'kysely'
import { PosternError } from '../base/errors.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { listWorkspacesWithoutAdmin, lockMemberships } from '../store/principal-changes.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/**
 * Runs a change of who there is, who is in which group or who has which workspace role, as one transaction and one at a time.
 * Whatever the change is, it cannot take the last administrator of a workspace.
 *
 * @throws PosternError LAST_ADMIN | STORE_UNAVAILABLE | what `change` throws
 */
export async function changeMemberships<T>(
  deps: { readonly store: Store },
  change: (db: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  return withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await lockMemberships(db)
      const before = new Set(await listWorkspacesWithoutAdmin(db))
      const result = await change(db)
      const after = await listWorkspacesWithoutAdmin(db)
      if (after.some((id) => !before.has(id))) {
        throw new PosternError('LAST_ADMIN', 'The workspace would be left without an active Workspace Admin')
      }
      return result
    }),
  )
}
