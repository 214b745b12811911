import type { Transaction } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import { addGroupMembers, listContainingGroups, removeGroupMembers } from '../store/group-members.ts'
import { announcePrincipalChanged } from '../store/principal-changes.ts'
import { findSeen } from '../store/principal-directory.ts'
import type { Schema } from '../store/schema.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'

interface Group {
  readonly id: PrincipalId
  readonly name: string
}

/**
 * Makes principals direct members of a group, inside a change of memberships. Those that are members stay.
 * @throws PosternError NOT_FOUND for one that the workspace does not see | INVALID_ARGUMENT for one that the group is in itself, at any
 *   depth
 */
export async function putMembersIn(
  db: Transaction<Schema>,
  actor: Actor,
  group: Group,
  memberIds: readonly PrincipalId[],
): Promise<void> {
  if (memberIds.length === 0) return
  const containing = new Set(await listContainingGroups(db, group.id))
  const seen = await findSeen(db, actor.workspaceId, memberIds)
  const members = new Map(seen.map((member) => [member.id, member]))
  for (const id of memberIds) {
    const member = members.get(id)
    if (member === undefined) {
      throw new PosternError('NOT_FOUND', `No principal with id '${id}' belongs to this workspace`)
    }
    if (containing.has(id)) {
      const why =
        id === group.id
          ? `Group '${group.name}' cannot be a member of itself`
          : `Group '${group.name}' is in group '${member.name}' already, which therefore cannot be its member`
      throw new PosternError('INVALID_ARGUMENT', why)
    }
  }
  await addGroupMembers(db, group.id, memberIds)
  await recordMembers(db, actor, 'group.addMembers', group, memberIds)
}

/** Takes direct members out of a group, inside a change of memberships. Those that are none are left alone. */
export async function takeMembersOut(
  db: Transaction<Schema>,
  actor: Actor,
  group: Group,
  memberIds: readonly PrincipalId[],
): Promise<void> {
  const removed = await removeGroupMembers(db, group.id, memberIds)
  if (removed.length === 0) return
  for (const id of removed) await announcePrincipalChanged(db, id)
  await recordMembers(db, actor, 'group.removeMembers', group, removed)
}

async function recordMembers(
  db: Transaction<Schema>,
  actor: Actor,
  action: 'group.addMembers' | 'group.removeMembers',
  group: Group,
  memberIds: readonly PrincipalId[],
): Promise<void> {
  await recordAudit(db, {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'principal',
    targetId: group.id,
    targetName: group.name,
    detail: { members: [...memberIds] },
  })
}
