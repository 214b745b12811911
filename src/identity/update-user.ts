import { recordAudit } from '../audit/record-audit.ts'
import type { PrincipalId } from '../base/ids.ts'
import { updatePrincipal } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { givenFields } from './given-fields.ts'
import { withdrawAccess } from './withdraw-access.ts'
import { type DirectoryEntry, findEntry, requireOwn } from './principal-directory.ts'
import { checkedDisplayName, checkedEmail } from './principal-names.ts'
import { giveWorkspaceRole } from './workspace-assignments.ts'

/**
 * Changes a user. A deactivated one gets no token and is refused at his next request and his next login; his Postgres roles, groups
 * and password stay for the day he is activated again. A changed e-mail leaves his Postgres roles as they are called.
 *
 * @param change.workspaceRole his own role in the actor's workspace; null takes him out of it. The only change that is possible to a
 *   user of another workspace
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED | INVALID_ARGUMENT | ALREADY_EXISTS | LAST_ADMIN
 */
export async function updateUser(
  deps: { readonly store: Store },
  actor: Actor,
  id: PrincipalId,
  change: {
    readonly email?: string | undefined
    readonly displayName?: string | undefined
    readonly active?: boolean | undefined
    readonly externalId?: string | null | undefined
    readonly workspaceRole?: WorkspaceRole | null | undefined
  },
): Promise<DirectoryEntry> {
  const user = await findEntry(deps, actor.workspaceId, 'user', id)
  const { active, externalId, workspaceRole } = change
  const email = change.email === undefined ? undefined : checkedEmail(change.email)
  const displayName = change.displayName === undefined ? undefined : checkedDisplayName(change.displayName)
  const changed = { email, displayName, active, externalId }
  const given = givenFields(changed)
  const isOfFields = Object.keys(given).length > 0
  if (isOfFields) requireOwn(actor, user)
  await changeMemberships(deps, async (db) => {
    if (isOfFields) {
      await updatePrincipal(db, id, changed)
      await recordAudit(db, {
        ...actorAudit(actor),
        action: active === undefined ? 'user.update' : active ? 'user.activate' : 'user.deactivate',
        outcome: 'allowed',
        targetType: 'principal',
        targetId: id,
        targetName: user.name,
        detail: given,
      })
    }
    if (active === false) await withdrawAccess(db, id)
    if (workspaceRole !== undefined) await giveWorkspaceRole(db, actor, user, workspaceRole)
  })
  return findEntry(deps, actor.workspaceId, 'user', id).catch((thrown: unknown) => {
    // Taken out of the workspace, a user of another one is seen no more; what was known of him is the answer.
    if (workspaceRole === null && !user.isOwn) return { ...user, workspaceRole: null, assignedRole: null }
    throw thrown
  })
}
