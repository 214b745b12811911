import type { Transaction } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import { deletePrincipal as deletePrincipalRow, listBoundInstanceNames } from '../store/principals.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { type DirectoryEntry, findEntry, principalKindTitle, requireOwn } from './principal-directory.ts'
import { withdrawAccess } from './withdraw-access.ts'

const actionOf = { user: 'user.delete', group: 'group.delete', service_principal: 'servicePrincipal.delete' } as const

/**
 * Deletes a user for good.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED | LAST_ADMIN | IN_USE while he has a Postgres role: deleting would leave the
 *   Postgres role behind, unguarded by any principal
 */
export async function deleteUser(deps: { readonly store: Store }, actor: Actor, id: PrincipalId): Promise<void> {
  await deleteEntry(deps, actor, await findEntry(deps, actor.workspaceId, 'user', id))
}

/**
 * Deletes a group for good; its members stay.
 * @throws PosternError as {@link deleteUser}
 */
export async function deleteGroup(deps: { readonly store: Store }, actor: Actor, id: PrincipalId): Promise<void> {
  await deleteEntry(deps, actor, await findEntry(deps, actor.workspaceId, 'group', id))
}

/**
 * Deletes a service principal and its secrets for good.
 * @throws PosternError as {@link deleteUser}
 */
export async function deleteServicePrincipal(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
): Promise<void> {
  await deleteEntry(deps, actor, await findEntry(deps, actor.workspaceId, 'service_principal', clientId))
}

async function deleteEntry(deps: { readonly store: Store }, actor: Actor, entry: DirectoryEntry): Promise<void> {
  requireOwn(actor, entry)
  await changeMemberships(deps, async (db) => {
    await requireUnbound(db, entry)
    // Before the row: what listens reads who is concerned once the transaction is over.
    await withdrawAccess(db, entry.id)
    await deletePrincipalRow(db, entry.id)
    await recordAudit(db, {
      ...actorAudit(actor),
      action: actionOf[entry.kind],
      outcome: 'allowed',
      targetType: 'principal',
      targetId: entry.id,
      targetName: entry.name,
      detail: { displayName: entry.displayName },
    })
  })
}

async function requireUnbound(db: Transaction<Schema>, { id, kind, name }: DirectoryEntry): Promise<void> {
  const bound = await listBoundInstanceNames(db, id)
  if (bound.length === 0) return
  const title = principalKindTitle[kind]
  throw new PosternError(
    'IN_USE',
    `${title[0]!.toUpperCase()}${title.slice(1)} '${name}' has a Postgres role on ${bound.join(', ')}`,
    { hint: `Unbind its Postgres roles first, or deactivate the ${title}: that takes its access at once.` },
  )
}
