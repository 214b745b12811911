import type { Group } from '../../../contract/groups.ts'
import { shownTime } from '../../output.ts'
import { workspaceRoleText } from '../user/user-fields.ts'

/** What a person sees of one group. */
export function groupFields(group: Group): (readonly [string, string])[] {
  return [
    ['Name', group.displayName],
    ['Workspace role', workspaceRoleText(group)],
    ['Active', group.active ? 'yes' : 'no'],
    ['Members', String(group.memberCount)],
    ...(group.ownedHere ? [] : [['Belongs to', 'another workspace'] as const]),
    ['Created', shownTime(group.createdAt)],
    ['Id', group.id],
  ]
}
