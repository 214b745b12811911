import { recordAudit } from '../audit/record-audit.ts'
import type { PrincipalId } from '../base/ids.ts'
import { listGroupMemberIds } from '../store/group-members.ts'
import { announcePrincipalChanged } from '../store/principal-changes.ts'
import { updatePrincipal } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { givenFields } from './given-fields.ts'
import { putMembersIn, takeMembersOut } from './group-members.ts'
import { type DirectoryEntry, findEntry, requireOwn } from './principal-directory.ts'
import { checkedGroupName } from './principal-names.ts'
import { giveWorkspaceRole } from './workspace-assignments.ts'

/**
 * Changes a group and its direct members, all of it or nothing. A deactivated group gives its members nothing. A changed name leaves
 * its Postgres roles as they are called.
 *
 * @param change.setMembers exactly these, before `addMembers` and `removeMembers`
 * @param change.workspaceRole its own role in the actor's workspace; null takes it out. The only change that is possible to a group of
 *   another workspace
 * @throws PosternError NOT_FOUND, also for a member that the workspace does not see | PERMISSION_DENIED | INVALID_ARGUMENT, also for a
 *   member that would close a cycle | ALREADY_EXISTS | LAST_ADMIN
 */
export async function updateGroup(
  deps: { readonly store: Store },
  actor: Actor,
  id: PrincipalId,
  change: {
    readonly displayName?: string | undefined
    readonly active?: boolean | undefined
    readonly externalId?: string | null | undefined
    readonly workspaceRole?: WorkspaceRole | null | undefined
    readonly setMembers?: readonly PrincipalId[] | undefined
    readonly addMembers?: readonly PrincipalId[] | undefined
    readonly removeMembers?: readonly PrincipalId[] | undefined
  },
): Promise<DirectoryEntry> {
  const group = await findEntry(deps, actor.workspaceId, 'group', id)
  const { active, externalId, workspaceRole, setMembers, addMembers = [], removeMembers = [] } = change
  const displayName = change.displayName === undefined ? undefined : checkedGroupName(change.displayName)
  const changed = { displayName, active, externalId }
  const given = givenFields(changed)
  const isOfFields = Object.keys(given).length > 0
  const isOfMembers = setMembers !== undefined || addMembers.length > 0 || removeMembers.length > 0
  if (isOfFields || isOfMembers) requireOwn(actor, group)
  await changeMemberships(deps, async (db) => {
    if (isOfFields) {
      await updatePrincipal(db, id, changed)
      if (active === false) await announcePrincipalChanged(db, id)
      await recordAudit(db, {
        ...actorAudit(actor),
        action: active === undefined ? 'group.update' : active ? 'group.activate' : 'group.deactivate',
        outcome: 'allowed',
        targetType: 'principal',
        targetId: id,
        targetName: group.name,
        detail: given,
      })
    }
    if (setMembers !== undefined) {
      const present = await listGroupMemberIds(db, id)
      const [wanted, held] = [new Set(setMembers), new Set(present)]
      const without = present.filter((memberId) => !wanted.has(memberId))
      await takeMembersOut(db, actor, group, without)
      const added = setMembers.filter((memberId) => !held.has(memberId))
      await putMembersIn(db, actor, group, added)
    }
    await putMembersIn(db, actor, group, addMembers)
    await takeMembersOut(db, actor, group, removeMembers)
    if (workspaceRole !== undefined) await giveWorkspaceRole(db, actor, group, workspaceRole)
  })
  if (workspaceRole === null && !group.isOwn) return { ...group, workspaceRole: null, assignedRole: null }
  return findEntry(deps, actor.workspaceId, 'group', id)
}
