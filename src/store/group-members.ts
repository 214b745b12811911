import { sql, type Kysely } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** Adds direct members; those that are members already stay. */
export async function addGroupMembers(
  db: Kysely<Schema>,
  groupId: PrincipalId,
  memberIds: readonly PrincipalId[],
): Promise<void> {
  if (memberIds.length === 0) return
  // One parameter, however many there are: Postgres takes at most 65,535 of them.
  await sql`insert into group_member (group_id, member_id) select ${groupId}::bigint, unnest(${[...memberIds]}::bigint[])
    on conflict do nothing`.execute(db)
}

/** Removes direct members and answers which of them were. */
export async function removeGroupMembers(
  db: Kysely<Schema>,
  groupId: PrincipalId,
  memberIds: readonly PrincipalId[],
): Promise<PrincipalId[]> {
  if (memberIds.length === 0) return []
  const rows = await db
    .deleteFrom('group_member')
    .where('group_id', '=', groupId)
    .where(sql<boolean>`member_id = any(${[...memberIds]}::bigint[])`)
    .returning('member_id')
    .execute()
  return rows.map((row) => row.member_id)
}

/** Ids of the direct members. */
export async function listGroupMemberIds(db: Kysely<Schema>, groupId: PrincipalId): Promise<PrincipalId[]> {
  const rows = await db.selectFrom('group_member').select('member_id').where('group_id', '=', groupId).execute()
  return rows.map((row) => row.member_id)
}

/**
 * The group itself and every group that it is in at any depth, deactivated ones included: what none of its members may be, so that no
 * group contains itself.
 */
export async function listContainingGroups(db: Kysely<Schema>, groupId: PrincipalId): Promise<PrincipalId[]> {
  const { rows } = await sql<{ id: PrincipalId }>`
    with recursive containing (id) as (
      select ${groupId}::bigint
      union
      select m.group_id from containing c join group_member m on m.member_id = c.id
    )
    select id::text from containing`.execute(db)
  return rows.map(({ id }) => id)
}
