import type { User } from '../../../contract/users.ts'
import { shownTime } from '../../output.ts'

/** What a person sees of one user. */
export function userFields(user: User): (readonly [string, string])[] {
  return [
    ['E-mail', user.email],
    ['Display name', user.displayName],
    ['Workspace role', workspaceRoleText(user)],
    ['Active', user.active ? 'yes' : 'no'],
    ['Password', user.hasPassword ? 'set' : 'not set'],
    ...(user.ownedHere ? [] : [['Belongs to', 'another workspace'] as const]),
    ['Created', shownTime(user.createdAt)],
    ['Id', user.id],
  ]
}

/** The role that counts, and where it comes from when it is not the principal's own. */
export function workspaceRoleText({
  workspaceRole,
  assignedRole,
}: Pick<User, 'workspaceRole' | 'assignedRole'>): string {
  if (workspaceRole === null) return 'none'
  return workspaceRole === assignedRole ? workspaceRole : `${workspaceRole} (by a group)`
}
