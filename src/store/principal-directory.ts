import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

type PrincipalKind = 'user' | 'service_principal' | 'group'
type WorkspaceRole = 'admin' | 'dba' | 'member'

/** A principal as the directory of a workspace shows it. */
export interface DirectoryRow {
  readonly id: PrincipalId
  readonly kind: PrincipalKind
  /** E-mail of a user, client id of a service principal, name of a group. */
  readonly name: string
  readonly displayName: string
  readonly active: boolean
  /** What the identity provider that provisions it calls it. */
  readonly externalId: string | null
  /** Whether the administrators of this workspace may change and delete it. */
  readonly isOwn: boolean
  /** The strongest of its own assignment and those of the active groups that it is in; null: it is not in the workspace. */
  readonly workspaceRole: WorkspaceRole | null
  /** Of its own assignment alone. */
  readonly assignedRole: WorkspaceRole | null
  readonly hasPassword: boolean
  /** Direct members of a group. */
  readonly memberCount: number
  readonly createdAt: Date
}

/** Which principals are listed; what is absent is not asked. */
export interface DirectoryFilter {
  readonly kind?: PrincipalKind | undefined
  readonly id?: string | undefined
  /** Users in any letter case, the others exactly. */
  readonly name?: string | undefined
  /** A part of the name or display name, in any letter case. */
  readonly search?: string | undefined
  readonly externalId?: string | undefined
  readonly active?: boolean | undefined
  /** Direct members of this group. */
  readonly memberOf?: PrincipalId | undefined
  /** Groups that this principal is a direct member of. */
  readonly withMember?: PrincipalId | undefined
  /** Those with an assignment of their own. */
  readonly assigned?: true | undefined
  readonly matching?: DirectoryCondition | undefined
}

/** A condition on principals, as far as they have what it compares: SCIM filters become these. */
export type DirectoryCondition =
  | { readonly and: readonly DirectoryCondition[] }
  | { readonly or: readonly DirectoryCondition[] }
  | { readonly not: DirectoryCondition }
  | { readonly always: boolean }
  | { readonly memberOf: string }
  | { readonly withMember: string }
  | { readonly isActive: boolean }
  | { readonly createdAt: Date; readonly comparison: '=' | '<' | '<=' | '>' | '>=' }
  | {
      readonly text: 'id' | 'name' | 'display_name' | 'external_id'
      readonly comparison: 'is' | 'contains' | 'starts' | 'ends' | 'present'
      readonly value: string
      /** Whether upper and lower case differ. */
      readonly isExact: boolean
    }

/** By lower-case name, then id. */
export interface DirectoryPosition {
  readonly name: string
  readonly id: string
}

/**
 * Principals that a workspace sees, in order of their names: its own, those assigned to it, and the members of assigned groups at any
 * depth.
 */
export async function listDirectory(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  filter: DirectoryFilter,
  page: {
    readonly limit: number
    readonly after?: DirectoryPosition | undefined
    readonly offset?: number | undefined
  },
): Promise<DirectoryRow[]> {
  const { rows } = await sql<DirectoryRow>`
    with recursive ${seenByWorkspace(workspaceId)},
    listed as (
      select * from seen
      where (is_own or id in (select id from inside)) and ${sql.join(conditionsOf(workspaceId, filter), sql` and `)}
        and ${page.after === undefined ? sql`true` : sql`(lower(name) collate "C", id) > (${page.after.name}, ${page.after.id}::bigint)`}
      order by lower(name) collate "C", id limit ${page.limit} offset ${page.offset ?? 0}
    ),
    held (start, id) as (
      select id, id from listed
      union
      select h.start, m.group_id from held h
        join group_member m on m.member_id = h.id
        join principal g on g.id = m.group_id and g.active
    )
    select l.id::text, l.kind, l.name, l.display_name as "displayName", l.active, l.external_id as "externalId", l.is_own as "isOwn",
      l.has_password as "hasPassword", l.created_at as "createdAt", own.role as "assignedRole",
      (select count(*)::int from group_member m where m.group_id = l.id) as "memberCount", (
        select a.role from held h join workspace_assignment a on a.principal_id = h.id and a.workspace_id = ${workspaceId}
        where h.start = l.id
        order by case a.role when 'admin' then 0 when 'dba' then 1 else 2 end limit 1
      ) as "workspaceRole"
    from listed l left join workspace_assignment own on own.principal_id = l.id and own.workspace_id = ${workspaceId}
    order by lower(l.name) collate "C", l.id`.execute(db)
  return rows
}

/** How many principals {@link listDirectory} would list without a limit. */
export async function countDirectory(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  filter: DirectoryFilter,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with recursive ${seenByWorkspace(workspaceId)}
    select count(*)::int as count from seen
    where (is_own or id in (select id from inside)) and ${sql.join(conditionsOf(workspaceId, filter), sql` and `)}`.execute(
    db,
  )
  return rows[0]?.count ?? 0
}

/** Which of many principals the workspace sees, in one look and without what else the directory knows of them. */
export async function findSeen(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  ids: readonly PrincipalId[],
): Promise<Pick<DirectoryRow, 'id' | 'name'>[]> {
  const { rows } = await sql<Pick<DirectoryRow, 'id' | 'name'>>`
    with recursive ${seenByWorkspace(workspaceId)}
    select id::text, name from seen
    where (is_own or id in (select id from inside)) and id = any(${[...ids]}::bigint[])`.execute(db)
  return rows
}

/** Who is in the workspace by assignment (`inside`), and every principal with its name (`seen`). */
function seenByWorkspace(workspaceId: WorkspaceId) {
  return sql`
    inside (id) as (
      select principal_id from workspace_assignment where workspace_id = ${workspaceId}
      union
      select m.member_id from inside i
        join principal g on g.id = i.id and g.kind = 'group' and g.active
        join group_member m on m.group_id = g.id
    ),
    seen as (
      select p.id, p.kind, p.display_name, p.active, p.external_id, p.created_at, u.password_hash is not null as has_password,
        coalesce(u.email, s.client_id::text, p.display_name) as name,
        coalesce(p.home_workspace_id, (select id from workspace where is_first)) = ${workspaceId} as is_own
      from principal p
        left join user_account u on u.principal_id = p.id
        left join service_principal s on s.principal_id = p.id
    )`
}

/** The position of a row in the list. */
export function directoryPosition({ name, id }: DirectoryRow): DirectoryPosition {
  return { name: name.toLowerCase(), id }
}

function conditionsOf(workspaceId: WorkspaceId, filter: DirectoryFilter) {
  const { kind, id, name, search, externalId, active, memberOf, withMember, assigned, matching } = filter
  const conditions = [sql<boolean>`true`]
  if (kind !== undefined) conditions.push(sql`kind = ${kind}`)
  if (id !== undefined) conditions.push(sql`id = ${id}`)
  if (name !== undefined) conditions.push(sql`(name = ${name} or kind = 'user' and lower(name) = lower(${name}))`)
  if (search !== undefined) {
    const pattern = `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`
    conditions.push(sql`(name ilike ${pattern} or display_name ilike ${pattern})`)
  }
  if (externalId !== undefined) conditions.push(sql`external_id = ${externalId}`)
  if (active !== undefined) conditions.push(sql`active = ${active}`)
  if (memberOf !== undefined) {
    conditions.push(sql`id in (select member_id from group_member where group_id = ${memberOf})`)
  }
  if (withMember !== undefined) {
    conditions.push(sql`id in (select group_id from group_member where member_id = ${withMember})`)
  }
  if (assigned) {
    conditions.push(sql`id in (select principal_id from workspace_assignment where workspace_id = ${workspaceId})`)
  }
  if (matching !== undefined) conditions.push(conditionSql(matching))
  return conditions
}

function conditionSql(condition: DirectoryCondition): RawBuilder<boolean> {
  if ('and' in condition) return sql`(${sql.join(condition.and.map(conditionSql), sql` and `)})`
  if ('or' in condition) return sql`(${sql.join(condition.or.map(conditionSql), sql` or `)})`
  if ('not' in condition) return sql`(not ${conditionSql(condition.not)})`
  if ('always' in condition) return condition.always ? sql`true` : sql`false`
  if ('isActive' in condition) return sql`active = ${condition.isActive}`
  if ('memberOf' in condition) {
    return sql`id in (select member_id from group_member where group_id = ${condition.memberOf}::bigint)`
  }
  if ('withMember' in condition) {
    return sql`id in (select group_id from group_member where member_id = ${condition.withMember}::bigint)`
  }
  if ('createdAt' in condition) return sql`created_at ${sql.raw(condition.comparison)} ${condition.createdAt}`
  const { text, comparison, value, isExact } = condition
  // Never null, so that `not` turns it round for principals without the value too.
  const column = sql`coalesce(${sql.ref(text)}::text, '')`
  if (comparison === 'present') return sql`${column} <> ''`
  if (comparison === 'is') return isExact ? sql`${column} = ${value}` : sql`lower(${column}) = lower(${value})`
  const literal = value.replaceAll(/[\\%_]/g, '\\$&')
  const pattern = `${comparison === 'starts' ? '' : '%'}${literal}${comparison === 'ends' ? '' : '%'}`
  return isExact ? sql`${column} like ${pattern}` : sql`${column} ilike ${pattern}`
}
