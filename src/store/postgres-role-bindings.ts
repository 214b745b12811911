import { sql, type Kysely } from 'kysely'
import type { InstanceId, PrincipalId, RoleBindingId } from '../base/ids.ts'
import { principalsChannel } from './principal-changes.ts'
import type { Schema } from './schema.ts'

/** A principal's Postgres role on an instance, by principal id, cluster and role oid. */
export interface PostgresRoleBindingRow {
  readonly id: RoleBindingId
  readonly instanceId: InstanceId
  readonly principalId: PrincipalId
  readonly principalKind: 'user' | 'service_principal' | 'group'
  /** E-mail, client id or group name. */
  readonly principalName: string
  readonly roleName: string
  readonly roleOid: string
  readonly systemIdentifier: string
  readonly attributes: { readonly createDb: boolean; readonly createRole: boolean; readonly bypassRls: boolean }
  readonly isAdministrator: boolean
  /** Null on managed instances, which know the gateway by its operating system user. */
  readonly loginKeySealed: Buffer | null
  readonly createdAt: Date
}

export type NewPostgresRoleBinding = Omit<PostgresRoleBindingRow, 'principalKind' | 'principalName' | 'createdAt'> & {
  readonly createdBy: PrincipalId | null
}

export async function insertPostgresRoleBinding(db: Kysely<Schema>, binding: NewPostgresRoleBinding): Promise<void> {
  await db
    .insertInto('postgres_role_binding')
    .values({
      id: binding.id,
      instance_id: binding.instanceId,
      principal_id: binding.principalId,
      role_name: binding.roleName,
      role_oid: binding.roleOid,
      system_identifier: binding.systemIdentifier,
      can_create_db: binding.attributes.createDb,
      can_create_role: binding.attributes.createRole,
      bypass_rls: binding.attributes.bypassRls,
      is_administrator: binding.isAdministrator,
      login_key_sealed: binding.loginKeySealed,
      created_by: binding.createdBy,
    })
    .execute()
}

export async function findPostgresRoleBinding(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  roleName: string,
): Promise<PostgresRoleBindingRow | undefined> {
  const row = await selectBindings(db, instanceId)
    .where('postgres_role_binding.role_name', '=', roleName)
    .executeTakeFirst()
  return row && bindingFromRow(row)
}

/** Bindings of an instance in the order of the role names; all of them without `page`. */
export async function listPostgresRoleBindings(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  page: { readonly limit?: number; readonly after?: string | undefined } = {},
): Promise<PostgresRoleBindingRow[]> {
  let query = selectBindings(db, instanceId).orderBy('postgres_role_binding.role_name')
  if (page.after !== undefined) query = query.where('postgres_role_binding.role_name', '>', page.after)
  if (page.limit !== undefined) query = query.limit(page.limit)
  return (await query.execute()).map(bindingFromRow)
}

/**
 * Notes what the role is now: another oid after it was made again, another login key after it was reset, other attributes.
 * @returns whether the binding still existed with the oid that the caller had read
 */
export async function updatePostgresRoleBinding(
  db: Kysely<Schema>,
  binding: Pick<PostgresRoleBindingRow, 'id' | 'roleOid'>,
  change: Partial<
    Pick<PostgresRoleBindingRow, 'roleOid' | 'systemIdentifier' | 'loginKeySealed' | 'attributes' | 'isAdministrator'>
  >,
): Promise<boolean> {
  const result = await db
    .updateTable('postgres_role_binding')
    .set({
      role_oid: change.roleOid,
      system_identifier: change.systemIdentifier,
      login_key_sealed: change.loginKeySealed,
      can_create_db: change.attributes?.createDb,
      can_create_role: change.attributes?.createRole,
      bypass_rls: change.attributes?.bypassRls,
      is_administrator: change.isAdministrator,
    })
    .where('id', '=', binding.id)
    .where('role_oid', '=', binding.roleOid)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** Removes a binding. Every node is told of its principal, whose sessions of it may have to end. */
export async function deletePostgresRoleBinding(db: Kysely<Schema>, id: RoleBindingId): Promise<void> {
  await sql`
    with gone as (delete from postgres_role_binding where id = ${id} returning principal_id)
    select pg_notify(${principalsChannel}, principal_id::text) from gone`.execute(db)
}

function selectBindings(db: Kysely<Schema>, instanceId: InstanceId) {
  return db
    .selectFrom('postgres_role_binding')
    .innerJoin('principal', 'principal.id', 'postgres_role_binding.principal_id')
    .leftJoin('user_account', 'user_account.principal_id', 'principal.id')
    .leftJoin('service_principal', 'service_principal.principal_id', 'principal.id')
    .selectAll('postgres_role_binding')
    .select([
      'principal.kind as principal_kind',
      sql<string>`coalesce(user_account.email, service_principal.client_id::text, principal.display_name)`.as(
        'principal_name',
      ),
    ])
    .where('postgres_role_binding.instance_id', '=', instanceId)
}

type SelectedBinding = Awaited<ReturnType<ReturnType<typeof selectBindings>['executeTakeFirstOrThrow']>>

function bindingFromRow(row: SelectedBinding): PostgresRoleBindingRow {
  return {
    id: row.id,
    instanceId: row.instance_id,
    principalId: row.principal_id,
    principalKind: row.principal_kind,
    principalName: row.principal_name,
    roleName: row.role_name,
    roleOid: row.role_oid,
    systemIdentifier: row.system_identifier,
    attributes: { createDb: row.can_create_db, createRole: row.can_create_role, bypassRls: row.bypass_rls },
    isAdministrator: row.is_administrator,
    loginKeySealed: row.login_key_sealed,
    createdAt: row.created_at,
  }
}
