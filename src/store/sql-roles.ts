import { sql, type Kysely } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** NOTIFY channel on which every change of principals, memberships, assignments and bindings is announced. */
export const SQL_ROLES_CHANNEL = 'postern_sql_roles'

/** A principal that Postgres roles can be made for in SQL. */
export interface SqlIdentityRow {
  readonly id: PrincipalId
  readonly kind: 'user' | 'service_principal' | 'group'
  /** E-mail, client id or group name. */
  readonly name: string
}

/** The sealed key of session statements. */
export async function findStatementKey(db: Kysely<Schema>): Promise<Buffer | undefined> {
  const row = await db.selectFrom('session_statement_key').select('private_key_sealed').executeTakeFirst()
  return row?.private_key_sealed
}

/** Stores the key unless there is one. */
export async function insertStatementKey(db: Kysely<Schema>, sealed: Buffer): Promise<void> {
  await db
    .insertInto('session_statement_key')
    .values({ private_key_sealed: sealed })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Active users and service principals of a workspace, assigned themselves or through active groups at any depth, and the active
 * groups that are assigned themselves: to others' names nobody can log in.
 */
export async function listSqlIdentities(db: Kysely<Schema>, workspaceId: WorkspaceId): Promise<SqlIdentityRow[]> {
  const { rows } = await sql<SqlIdentityRow>`
    with recursive inside (id) as (
      select principal_id from workspace_assignment where workspace_id = ${workspaceId}
      union
      select m.member_id from inside i
        join principal g on g.id = i.id and g.kind = 'group' and g.active
        join group_member m on m.group_id = g.id
    )
    select p.id::text, p.kind, coalesce(u.email, s.client_id::text, p.display_name) as name
    from inside i
      join principal p on p.id = i.id and p.active
      left join user_account u on u.principal_id = p.id
      left join service_principal s on s.principal_id = p.id
    where p.kind <> 'group'
      or exists (select from workspace_assignment a where a.workspace_id = ${workspaceId} and a.principal_id = p.id)
    order by p.id`.execute(db)
  return rows
}

/** An instance that is AVAILABLE and may have the extension: managed ones in any database, external ones in those named here. */
export interface SqlRoleInstanceRow {
  readonly instanceId: InstanceId
  readonly kind: 'external' | 'managed'
  readonly databases: readonly string[]
}

/** @param nodeId whose managed instances are listed; external ones are everybody's */
export async function listSqlRoleInstances(db: Kysely<Schema>, nodeId: string): Promise<SqlRoleInstanceRow[]> {
  const { rows } = await sql<SqlRoleInstanceRow>`
    select i.id as "instanceId", i.kind, array(
      select e.database from sql_extension e where e.instance_id = i.id order by 1) as databases
    from instance i left join managed_instance m on m.instance_id = i.id
    where i.state = 'AVAILABLE' and (m.node_id = ${nodeId}
      or (i.kind = 'external' and exists (select from sql_extension e where e.instance_id = i.id)))`.execute(db)
  return rows
}

export async function insertSqlExtension(
  db: Kysely<Schema>,
  extension: { readonly instanceId: InstanceId; readonly database: string; readonly createdBy: PrincipalId },
): Promise<void> {
  const { instanceId, database, createdBy } = extension
  await db
    .insertInto('sql_extension')
    .values({ instance_id: instanceId, database, created_by: createdBy })
    .onConflict((conflict) => conflict.columns(['instance_id', 'database']).doNothing())
    .execute()
}

/** Forgets an extension that is no longer there. */
export async function deleteSqlExtension(db: Kysely<Schema>, instanceId: InstanceId, database: string): Promise<void> {
  await db.deleteFrom('sql_extension').where('instance_id', '=', instanceId).where('database', '=', database).execute()
}
