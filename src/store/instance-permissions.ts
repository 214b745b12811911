import { CompiledQuery, sql, type Kysely } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import { withHeldPrincipals } from './held-principals.ts'
import type { Schema } from './schema.ts'

export type GrantedLevel = 'use' | 'manage'

/** Somebody who may create managed instances. */
export type InstanceMakerRow = Omit<InstancePermissionRow, 'level'>

/** What one principal was granted on an instance. */
export interface InstancePermissionRow {
  readonly principalId: PrincipalId
  readonly principalKind: 'user' | 'service_principal' | 'group'
  /** E-mail, client id or group name. */
  readonly principalName: string
  readonly level: GrantedLevel
}

/**
 * The strongest level that a principal holds on an instance of the workspace: as its creator, by a grant of its own, or by one
 * of an active group that it is in at any depth. Undefined: none, or the instance is of another workspace.
 */
export async function readGrantedLevel(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
  instanceId: InstanceId,
): Promise<GrantedLevel | undefined> {
  const { rows } = await db.executeQuery<{ level: GrantedLevel | null }>(
    CompiledQuery.raw(
      `${withHeldPrincipals}
       select case
           when i.creator_id = $2 then 'manage'
           else (select p.level from instance_permission p join held h on h.id = p.principal_id
                 where p.instance_id = i.id order by p.level = 'manage' desc limit 1)
         end as level
       from instance i where i.id = $3 and i.workspace_id = $1`,
      [workspaceId, principalId, instanceId],
    ),
  )
  return rows[0]?.level ?? undefined
}

/** Grants on an instance in the order of the principals' ids, at most `limit`, those after the id `after`; all without `page`. */
export async function listInstancePermissions(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  page: { readonly limit?: number; readonly after?: string | undefined } = {},
): Promise<InstancePermissionRow[]> {
  let query = db
    .selectFrom('instance_permission')
    .innerJoin('principal', 'principal.id', 'instance_permission.principal_id')
    .leftJoin('user_account', 'user_account.principal_id', 'principal.id')
    .leftJoin('service_principal', 'service_principal.principal_id', 'principal.id')
    .select(['principal.id', 'principal.kind', 'instance_permission.level'])
    .select(namedPrincipal.as('name'))
    .where('instance_permission.instance_id', '=', instanceId)
    .orderBy('principal.id')
  if (page.after !== undefined) query = query.where('principal.id', '>', page.after as PrincipalId)
  if (page.limit !== undefined) query = query.limit(page.limit)
  const rows = await query.execute()
  return rows.map(({ id, kind, name, level }) => ({ principalId: id, principalKind: kind, principalName: name, level }))
}

/** Grants a level, in place of the one that the principal had. */
export async function putInstancePermission(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  principalId: PrincipalId,
  level: GrantedLevel,
): Promise<void> {
  await db
    .insertInto('instance_permission')
    .values({ instance_id: instanceId, principal_id: principalId, level })
    .onConflict((conflict) => conflict.columns(['instance_id', 'principal_id']).doUpdateSet({ level }))
    .execute()
}

/** @returns whether there was one */
export async function deleteInstancePermission(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  principalId: PrincipalId,
): Promise<boolean> {
  const result = await db
    .deleteFrom('instance_permission')
    .where('instance_id', '=', instanceId)
    .where('principal_id', '=', principalId)
    .executeTakeFirst()
  return result.numDeletedRows === 1n
}

/** Whether the principal, or an active group that it is in at any depth, may create managed instances. */
export async function isInstanceMaker(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
): Promise<boolean> {
  const { rows } = await db.executeQuery(
    CompiledQuery.raw(
      `${withHeldPrincipals}
       select from instance_maker m join held h on h.id = m.principal_id where m.workspace_id = $1 limit 1`,
      [workspaceId, principalId],
    ),
  )
  return rows.length > 0
}

/** Who was named as one who may create managed instances, in the order of their ids; paged as above. */
export async function listInstanceMakers(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  page: { readonly limit?: number; readonly after?: string | undefined } = {},
): Promise<InstanceMakerRow[]> {
  let query = db
    .selectFrom('instance_maker')
    .innerJoin('principal', 'principal.id', 'instance_maker.principal_id')
    .leftJoin('user_account', 'user_account.principal_id', 'principal.id')
    .leftJoin('service_principal', 'service_principal.principal_id', 'principal.id')
    .select(['principal.id', 'principal.kind'])
    .select(namedPrincipal.as('name'))
    .where('instance_maker.workspace_id', '=', workspaceId)
    .orderBy('principal.id')
  if (page.after !== undefined) query = query.where('principal.id', '>', page.after as PrincipalId)
  if (page.limit !== undefined) query = query.limit(page.limit)
  const rows = await query.execute()
  return rows.map(({ id, kind, name }) => ({ principalId: id, principalKind: kind, principalName: name }))
}

export async function putInstanceMaker(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
): Promise<void> {
  await db
    .insertInto('instance_maker')
    .values({ workspace_id: workspaceId, principal_id: principalId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** @returns whether there was one */
export async function deleteInstanceMaker(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
): Promise<boolean> {
  const result = await db
    .deleteFrom('instance_maker')
    .where('workspace_id', '=', workspaceId)
    .where('principal_id', '=', principalId)
    .executeTakeFirst()
  return result.numDeletedRows === 1n
}

const namedPrincipal = sql<string>`coalesce(user_account.email, service_principal.client_id::text, principal.display_name)`
