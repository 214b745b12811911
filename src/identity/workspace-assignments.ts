import type { Transaction } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { announcePrincipalChanged } from '../store/principal-changes.ts'
import { assignWorkspaceRole, findPrincipals, type PrincipalKey, unassignWorkspaceRole } from '../store/principals.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { type DirectoryEntry, findEntry, findEntryById } from './principal-directory.ts'

/**
 * Assigns a user, service principal or group to the actor's workspace with a workspace role, in place of an earlier one. Those of
 * other workspaces are found as well, by everything but a group's name.
 *
 * @throws PosternError NOT_FOUND | INVALID_ARGUMENT | LAST_ADMIN
 * @see "To learn how to assign a group to a workspace, see Assign a group to a workspace."
 */
export async function assignToWorkspace(
  deps: { readonly store: Store },
  actor: Actor,
  reference: PrincipalKey,
  role: WorkspaceRole,
): Promise<DirectoryEntry> {
  const principal = await findForAssignment(deps, actor, reference)
  await changeMemberships(deps, (db) => giveWorkspaceRole(db, actor, principal, role))
  return findEntryById(deps, actor.workspaceId, principal.id)
}

/**
 * Takes a principal's own assignment to the actor's workspace away. It may still be in it through a group.
 * @throws PosternError NOT_FOUND | LAST_ADMIN
 */
export async function unassignFromWorkspace(
  deps: { readonly store: Store },
  actor: Actor,
  principalId: PrincipalId,
): Promise<void> {
  const principal = await findEntryById(deps, actor.workspaceId, principalId)
  if (principal.assignedRole === null) {
    throw new PosternError('NOT_FOUND', `'${principal.name}' has no assignment of its own to this workspace`)
  }
  await changeMemberships(deps, (db) => giveWorkspaceRole(db, actor, principal, null))
}

/** Gives a principal a workspace role of its own, or with null takes it, inside a change of memberships. */
export async function giveWorkspaceRole(
  db: Transaction<Schema>,
  actor: Actor,
  principal: { readonly id: PrincipalId; readonly name: string },
  role: WorkspaceRole | null,
): Promise<void> {
  const { workspaceId } = actor
  if (role === null) await unassignWorkspaceRole(db, workspaceId, principal.id)
  else await assignWorkspaceRole(db, { workspaceId, principalId: principal.id, role })
  await announcePrincipalChanged(db, principal.id)
  await recordAudit(db, {
    ...actorAudit(actor),
    action: role === null ? 'workspaceAssignment.delete' : 'workspaceAssignment.create',
    outcome: 'allowed',
    targetType: 'principal',
    targetId: principal.id,
    targetName: principal.name,
    detail: { workspaceRole: role },
  })
}

async function findForAssignment(
  deps: { readonly store: Store },
  actor: Actor,
  reference: PrincipalKey,
): Promise<{ readonly id: PrincipalId; readonly name: string }> {
  // Names of groups are chosen by each workspace for itself: one of another workspace would not be the one that is meant.
  if ('group' in reference) return findEntry(deps, actor.workspaceId, 'group', reference.group)
  const [principal] = await withStoreErrors(findPrincipals(deps.store.db, actor.workspaceId, reference))
  if (principal !== undefined) return principal
  const [field, value] = Object.entries(reference)[0] ?? ['id', '']
  throw new PosternError('NOT_FOUND', `There is no principal with ${field} '${value}'`)
}
