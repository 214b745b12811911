import type { Group } from '../../../../contract/groups.ts'

/** How many members a group lists itself, in words: `1 direct member`. */
export function memberCountText({ memberCount }: Group): string {
  return memberCount === 1 ? '1 direct member' : `${memberCount} direct members`
}
