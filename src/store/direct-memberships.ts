import { sql, type Kysely } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** A direct membership, seen from one of its ends. */
export interface MembershipRow {
  /** The principal that was asked about. */
  readonly of: PrincipalId
  readonly id: PrincipalId
  readonly kind: 'user' | 'service_principal' | 'group'
  readonly displayName: string
}

/** Direct members of several groups at once, in order of their ids. */
export async function listMembersOf(db: Kysely<Schema>, groupIds: readonly PrincipalId[]): Promise<MembershipRow[]> {
  const { rows } = await sql<MembershipRow>`
    select m.group_id::text as of, p.id::text, p.kind, p.display_name as "displayName"
    from group_member m join principal p on p.id = m.member_id
    where m.group_id = any(${[...groupIds]}::bigint[]) order by m.group_id, p.id`.execute(db)
  return rows
}

/** Groups that several principals are direct members of, as far as the workspace made them or they are assigned to it, by id. */
export async function listGroupsOf(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  memberIds: readonly PrincipalId[],
): Promise<MembershipRow[]> {
  const { rows } = await sql<MembershipRow>`
    with recursive inside (id) as (
      select principal_id from workspace_assignment where workspace_id = ${workspaceId}
      union
      select m.member_id from inside i
        join principal g on g.id = i.id and g.kind = 'group' and g.active
        join group_member m on m.group_id = g.id
    )
    select m.member_id::text as of, p.id::text, p.kind, p.display_name as "displayName"
    from group_member m join principal p on p.id = m.group_id
    where m.member_id = any(${[...memberIds]}::bigint[])
      and (coalesce(p.home_workspace_id, (select id from workspace where is_first)) = ${workspaceId}
        or p.id in (select id from inside))
    order by m.member_id, p.id`.execute(db)
  return rows
}
