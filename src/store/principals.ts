import { CompiledQuery, sql, type Kysely } from 'kysely'
import type pg from 'pg'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

type PrincipalKind = 'user' | 'service_principal' | 'group'
type WorkspaceRole = 'admin' | 'dba' | 'member'

/** A principal as one workspace sees it. */
export interface PrincipalRow {
  readonly id: PrincipalId
  readonly kind: PrincipalKind
  /** E-mail of a user, client id of a service principal, display name of a group. */
  readonly name: string
  readonly active: boolean
  /** The strongest workspace role of its own and of the active groups it is in at any depth; null: it is not in the workspace. */
  readonly workspaceRole: WorkspaceRole | null
}

/** One way of naming a principal. */
export type PrincipalKey =
  { readonly id: string } | { readonly email: string } | { readonly clientId: string } | { readonly group: string }

export async function insertUser(
  db: Kysely<Schema>,
  user: {
    readonly id: PrincipalId
    readonly displayName: string
    readonly email: string
    /** Null: he signs in elsewhere, or sets a password with a reset secret. */
    readonly passwordHash: string | null
    readonly homeWorkspaceId?: WorkspaceId
    readonly externalId?: string | null
  },
): Promise<void> {
  await insertPrincipal(db, 'user', user)
  await db
    .insertInto('user_account')
    .values({ principal_id: user.id, email: user.email, password_hash: user.passwordHash })
    .execute()
}

/** Id of the user with this e-mail, whatever workspaces he is in. */
export async function findUserId(db: Kysely<Schema>, email: string): Promise<PrincipalId | undefined> {
  const row = await db
    .selectFrom('user_account')
    .select('principal_id')
    .where(sql<boolean>`lower(email) = lower(${email})`)
    .executeTakeFirst()
  return row?.principal_id
}

export async function insertServicePrincipal(
  db: Kysely<Schema>,
  servicePrincipal: NewPrincipal & { readonly clientId: string },
): Promise<void> {
  await insertPrincipal(db, 'service_principal', servicePrincipal)
  const { id, clientId } = servicePrincipal
  await db.insertInto('service_principal').values({ principal_id: id, client_id: clientId }).execute()
}

export async function insertGroup(db: Kysely<Schema>, group: NewPrincipal): Promise<void> {
  await insertPrincipal(db, 'group', group)
  await db.insertInto('principal_group').values({ principal_id: group.id }).execute()
}

interface NewPrincipal {
  readonly id: PrincipalId
  readonly displayName: string
  /** Absent: the first workspace's administrators change and delete it. */
  readonly homeWorkspaceId?: WorkspaceId
  readonly externalId?: string | null
}

async function insertPrincipal(db: Kysely<Schema>, kind: PrincipalKind, principal: NewPrincipal): Promise<void> {
  const { id, displayName, homeWorkspaceId, externalId = null } = principal
  await db
    .insertInto('principal')
    .values({ id, kind, display_name: displayName, home_workspace_id: homeWorkspaceId, external_id: externalId })
    .execute()
}

/** Changes what is given of a principal; `email` is for users. */
export async function updatePrincipal(
  db: Kysely<Schema>,
  id: PrincipalId,
  change: {
    readonly displayName?: string | undefined
    readonly active?: boolean | undefined
    readonly externalId?: string | null | undefined
    readonly email?: string | undefined
  },
): Promise<void> {
  const { displayName, active, externalId, email } = change
  if (displayName !== undefined || active !== undefined || externalId !== undefined) {
    await db
      .updateTable('principal')
      .set({ display_name: displayName, active, external_id: externalId })
      .where('id', '=', id)
      .execute()
  }
  if (email !== undefined) {
    await db.updateTable('user_account').set({ email }).where('principal_id', '=', id).execute()
  }
}

/** Assigns a principal to a workspace with a workspace role of its own, in place of the one that it had. */
export async function assignWorkspaceRole(
  db: Kysely<Schema>,
  assignment: { readonly workspaceId: WorkspaceId; readonly principalId: PrincipalId; readonly role: WorkspaceRole },
): Promise<void> {
  const { workspaceId, principalId, role } = assignment
  await db
    .insertInto('workspace_assignment')
    .values({ workspace_id: workspaceId, principal_id: principalId, role })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'principal_id']).doUpdateSet({ role }))
    .execute()
}

/** Takes a principal out of the workspace; answers whether it was assigned. */
export async function unassignWorkspaceRole(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
): Promise<boolean> {
  const deleted = await db
    .deleteFrom('workspace_assignment')
    .where('workspace_id', '=', workspaceId)
    .where('principal_id', '=', principalId)
    .executeTakeFirst()
  return deleted.numDeletedRows > 0n
}

/**
 * Principals that the key names, with their role in the workspace: none, one, or several groups of one name. A group counts
 * only while it is active. `union` (not `union all`) ends the walk where groups contain each other.
 */
export async function findPrincipals(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  key: PrincipalKey,
): Promise<PrincipalRow[]> {
  const [condition, value] = conditionOf(key)
  const { rows } = await db.executeQuery<PrincipalResult>(
    CompiledQuery.raw(principalsText(condition), [workspaceId, value]),
  )
  return rows.map(principalFromRow)
}

const byIdStatement = { name: 'principal-by-id-1', text: principalsText('p.id = $2') }

/** The same for an id, prepared once per session of the pool: every request of the API begins with it. */
export async function findPrincipalById(
  pool: pg.Pool,
  workspaceId: WorkspaceId,
  id: PrincipalId,
): Promise<PrincipalRow | undefined> {
  const { rows } = await pool.query<PrincipalResult>({ ...byIdStatement, values: [workspaceId, id] })
  return rows[0] && principalFromRow(rows[0])
}

interface PrincipalResult {
  id: string
  kind: PrincipalKind
  name: string
  active: boolean
  workspace_role: WorkspaceRole | null
}

/** `$1` is the workspace, `$2` belongs to the condition. */
function principalsText(condition: string): string {
  return `
    with recursive named as (
      select p.id, p.kind, p.active, coalesce(u.email, s.client_id::text, p.display_name) as name
      from principal p
        left join user_account u on u.principal_id = p.id
        left join service_principal s on s.principal_id = p.id
      where ${condition}
    ),
    held (start, id) as (
      select id, id from named
      union
      select h.start, m.group_id from held h
        join group_member m on m.member_id = h.id
        join principal g on g.id = m.group_id and g.active
    )
    select n.id::text, n.kind, n.name, n.active, (
      select a.role from held h join workspace_assignment a on a.principal_id = h.id and a.workspace_id = $1
      where h.start = n.id
      order by case a.role when 'admin' then 0 when 'dba' then 1 else 2 end limit 1
    ) as workspace_role
    from named n`
}

function conditionOf(key: PrincipalKey): [condition: string, value: string] {
  if ('id' in key) return ['p.id = $2', key.id]
  if ('email' in key) return ['lower(u.email) = lower($2)', key.email]
  if ('clientId' in key) return ['s.client_id = $2', key.clientId]
  return ["p.kind = 'group' and p.display_name = $2", key.group]
}

function principalFromRow(row: PrincipalResult): PrincipalRow {
  return {
    id: row.id as PrincipalId,
    kind: row.kind,
    name: row.name,
    active: row.active,
    workspaceRole: row.workspace_role,
  }
}

/** The stored password hash of a user; null: no such user, or one who signs in elsewhere. */
export async function readPasswordHash(db: Kysely<Schema>, email: string): Promise<string | null> {
  const row = await db
    .selectFrom('user_account')
    .select('password_hash')
    .where(sql<boolean>`lower(email) = lower(${email})`)
    .executeTakeFirst()
  return row?.password_hash ?? null
}

export async function setPrincipalActive(db: Kysely<Schema>, id: PrincipalId, active: boolean): Promise<void> {
  await db.updateTable('principal').set({ active }).where('id', '=', id).execute()
}

/** Deletes a principal with its secrets, memberships and assignments. */
export async function deletePrincipal(db: Kysely<Schema>, id: PrincipalId): Promise<void> {
  await db.deleteFrom('principal').where('id', '=', id).execute()
}

/** Names of the instances on which the principal has a Postgres role, each once. */
export async function listBoundInstanceNames(db: Kysely<Schema>, id: PrincipalId): Promise<string[]> {
  const rows = await db
    .selectFrom('postgres_role_binding')
    .innerJoin('instance', 'instance.id', 'postgres_role_binding.instance_id')
    .select('instance.name')
    .distinct()
    .where('postgres_role_binding.principal_id', '=', id)
    .orderBy('instance.name')
    .execute()
  return rows.map((row) => row.name)
}
