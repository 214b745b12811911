import type { Group, GroupMember } from '../../contract/groups.ts'
import type { PasswordReset, User } from '../../contract/users.ts'
import type { WorkspaceAssignment } from '../../contract/workspaces.ts'
import type { Secret } from '../../base/secret.ts'
import type { DirectoryEntry } from '../../identity/principal-directory.ts'

export function presentUser(user: DirectoryEntry): User {
  const { id, name, displayName, active, workspaceRole, assignedRole, isOwn, hasPassword, createdAt } = user
  const known = { id, displayName, active, workspaceRole, assignedRole, hasPassword }
  return { ...known, email: name, ownedHere: isOwn, createdAt: createdAt.toISOString() }
}

export function presentGroup(group: DirectoryEntry): Group {
  const { id, displayName, active, workspaceRole, assignedRole, isOwn, memberCount, createdAt } = group
  const known = { id, displayName, active, workspaceRole, assignedRole, memberCount }
  return { ...known, ownedHere: isOwn, createdAt: createdAt.toISOString() }
}

export function presentGroupMember({ id, kind, name, displayName, active }: DirectoryEntry): GroupMember {
  return { id, kind, name, displayName, active }
}

/** Of a principal that is assigned. */
export function presentAssignment({ id, kind, name, assignedRole }: DirectoryEntry): WorkspaceAssignment {
  if (assignedRole === null) throw new Error(`principal ${id} has no assignment`)
  return { principal: { id, kind, name }, workspaceRole: assignedRole }
}

/** The one answer that holds a reset secret. */
export function presentPasswordReset(reset: { readonly secret: Secret; readonly expiresAt: Date }): PasswordReset {
  return { resetSecret: reset.secret.reveal(), expiresAt: reset.expiresAt.toISOString() }
}
