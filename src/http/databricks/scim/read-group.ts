import { z } from 'zod'
import type { PrincipalId } from '../../../base/ids.ts'
import type { ScimFilter } from './parse-filter.ts'
import type { PatchOperation } from './patch-operations.ts'
import { scimError } from './scim-error.ts'

const Member = z.looseObject({ value: z.string() })

/** A group as identity providers send one. */
export const GroupBody = z.looseObject({
  displayName: z.string(),
  externalId: z.string().nullish(),
  members: z.array(Member).nullish(),
})

/** What a request changes of a group; undefined: nothing. */
export interface GroupChange {
  displayName?: string
  externalId?: string | null
  setMembers?: PrincipalId[]
  addMembers: PrincipalId[]
  removeMembers: PrincipalId[]
}

/** The members that have been named so far: sets, since a body may name tens of thousands. */
interface MemberChange {
  exactly: Set<PrincipalId> | undefined
  added: Set<PrincipalId>
  removed: Set<PrincipalId>
}

/** Ids of the members that a body lists. */
export function memberIdsOf(members: readonly { readonly value: string }[]): PrincipalId[] {
  return [...new Set(members.map(({ value }) => memberId(value)))]
}

/**
 * What the operations of a PATCH change of a group. A later operation has the last word on a member.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType`
 */
export function groupChangeOf(operations: readonly PatchOperation[]): GroupChange {
  const change: Pick<GroupChange, 'displayName' | 'externalId'> = {}
  const members: MemberChange = { exactly: undefined, added: new Set(), removed: new Set() }
  for (const operation of operations) {
    const { op, path, value } = operation
    switch (path.attribute) {
      case 'members':
        changeMembers(members, operation)
        break
      case 'displayname':
        if (op === 'remove') throw scimError('mutability', 'displayName cannot be removed')
        change.displayName = textOf('displayName', value)
        break
      case 'externalid':
        change.externalId = op === 'remove' || value === null ? null : textOf('externalId', value)
        break
      case 'id':
      case 'meta':
      case 'entitlements':
      case 'roles':
      case 'groups':
        break
      default:
        throw scimError('invalidPath', `A group has no attribute '${path.attribute}'`)
    }
  }
  return {
    ...change,
    ...(members.exactly !== undefined && { setMembers: [...members.exactly] }),
    addMembers: [...members.added],
    removeMembers: [...members.removed],
  }
}

function changeMembers(change: MemberChange, { op, path, value }: PatchOperation): void {
  const ids = path.filter === undefined ? idsOfValue(value) : idsOfFilter(path.filter)
  if (op === 'replace' || (op === 'remove' && ids === undefined)) {
    change.exactly = new Set(op === 'replace' ? ids : [])
    change.added = new Set()
    change.removed = new Set()
    return
  }
  const [into, outOf] = op === 'add' ? [change.added, change.removed] : [change.removed, change.added]
  for (const id of ids ?? []) {
    outOf.delete(id)
    into.add(id)
    if (op === 'remove') change.exactly?.delete(id)
  }
}

/** Undefined: no member is named, which removes all of them. */
function idsOfValue(value: unknown): PrincipalId[] | undefined {
  if (value === undefined || value === null) return undefined
  const members = z.array(Member).safeParse(Array.isArray(value) ? value : [value])
  if (!members.success) throw scimError('invalidValue', 'members must be a list of objects with a value')
  return memberIdsOf(members.data)
}

/** `members[value eq "1"]`, also with several joined by `or`. */
function idsOfFilter(filter: ScimFilter): PrincipalId[] {
  if ('or' in filter) return filter.or.flatMap(idsOfFilter)
  if ('operator' in filter && filter.attribute === 'value' && filter.operator === 'eq') {
    return [memberId(String(filter.value))]
  }
  throw scimError('invalidPath', 'Members are selected by value eq "<id>"')
}

function memberId(value: string): PrincipalId {
  if (/^\d{1,18}$/.test(value)) return value as PrincipalId
  throw scimError('invalidValue', `'${value.slice(0, 60)}' is not the id of a principal`)
}

function textOf(attribute: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw scimError('invalidValue', `${attribute} must be a text that is not empty`)
}
