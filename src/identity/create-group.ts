import { recordAudit } from '../audit/record-audit.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import { assignWorkspaceRole, insertGroup } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { putMembersIn } from './group-members.ts'
import { type DirectoryEntry, findEntry } from './principal-directory.ts'
import { checkedGroupName } from './principal-names.ts'

/**
 * Creates a group of the actor's workspace.
 *
 * @param input.workspaceRole what it gives its members; null: it is not assigned to the workspace, and nobody can log in as it
 * @param input.memberIds principals that the workspace sees
 * @throws PosternError INVALID_ARGUMENT | ALREADY_EXISTS | NOT_FOUND for a member
 */
export async function createGroup(
  deps: { readonly store: Store },
  actor: Actor,
  input: {
    readonly displayName: string
    readonly workspaceRole: WorkspaceRole | null
    readonly memberIds?: readonly PrincipalId[] | undefined
    readonly externalId?: string | undefined
  },
): Promise<DirectoryEntry> {
  const id = newNumericId<PrincipalId>()
  const { workspaceId } = actor
  const { workspaceRole, memberIds = [], externalId = null } = input
  const displayName = checkedGroupName(input.displayName)
  await changeMemberships(deps, async (db) => {
    await insertGroup(db, { id, displayName, homeWorkspaceId: workspaceId, externalId })
    if (workspaceRole !== null) await assignWorkspaceRole(db, { workspaceId, principalId: id, role: workspaceRole })
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'group.create',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: id,
      targetName: displayName,
      detail: { workspaceRole },
    })
    await putMembersIn(db, actor, { id, name: displayName }, memberIds)
  })
  return findEntry(deps, workspaceId, 'group', id)
}
