import { sql, type Kysely, type Transaction } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/**
 * Carries the id of a principal whose access shrank: it was deactivated or deleted, left a group or a workspace, or lost a
 * workspace role. Whoever was in it before the change, directly or indirectly, is concerned as well: a listener that cannot tell
 * looks at everybody again.
 */
export const principalsChannel = 'postern_principals'

/** Tells every node of a principal whose access shrank, when the transaction of the change commits. */
export async function announcePrincipalChanged(db: Kysely<Schema>, principalId: PrincipalId): Promise<void> {
  await sql`select pg_notify(${principalsChannel}, ${principalId})`.execute(db)
}

/**
 * Lets one transaction at a time change who is in which group and who has which workspace role, until it ends: a cycle, or a
 * workspace without an administrator, could otherwise be made by two changes that are harmless each for itself.
 */
export async function lockMemberships(db: Transaction<Schema>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('postern.memberships', 0))`.execute(db)
}

/** Workspaces in which no active user or service principal is Workspace Admin, itself or by an active group. */
export async function listWorkspacesWithoutAdmin(db: Kysely<Schema>): Promise<WorkspaceId[]> {
  const { rows } = await sql<{ id: WorkspaceId }>`
    with recursive admin (workspace_id, id, kind) as (
      select a.workspace_id, p.id, p.kind from workspace_assignment a
        join principal p on p.id = a.principal_id and p.active
      where a.role = 'admin'
      union
      select a.workspace_id, p.id, p.kind from admin a
        join group_member m on m.group_id = a.id
        join principal p on p.id = m.member_id and p.active
    )
    select w.id from workspace w
    where not exists (select from admin a where a.workspace_id = w.id and a.kind <> 'group')`.execute(db)
  return rows.map(({ id }) => id)
}
