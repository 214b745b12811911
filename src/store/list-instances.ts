import { sql, type Kysely } from 'kysely'
import type { WorkspaceId } from '../base/ids.ts'
import type { EngineName } from '../contract/engines.ts'
import { instanceFromRow, type InstanceRow, selectInstances } from './instances.ts'
import type { InstanceStateColumn } from './schema-instances.ts'
import type { Schema } from './schema.ts'

/** What a list of instances is narrowed to; absent: no matter. */
export interface InstanceFilter {
  /** In the name or the title, in any case; with `searchHosts` also in the host of a data source. */
  readonly text?: string | undefined
  readonly searchHosts?: boolean | undefined
  readonly engine?: EngineName | undefined
  readonly environment?: string | undefined
  readonly state?: InstanceStateColumn | undefined
  /** All of these; a null value: the label is there, whatever its value. */
  readonly labels?: Readonly<Record<string, string | null>> | undefined
  /** Also those that are DELETED. */
  readonly showDeleted?: boolean | undefined
}

/** Columns that a list can be ordered by. */
const ORDERS = {
  name: sql<string>`instance.name`,
  title: sql<string>`lower(instance.title)`,
  environment: sql<string>`coalesce(lower(instance.environment), '')`,
  createdAt: sql<string>`to_char(instance.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')`,
} as const

/** Where a page of instances ended: the value that they are ordered by, and the name among equal ones. */
export interface InstancePosition {
  readonly value: string
  readonly name: string
}

export interface InstancePage {
  readonly limit: number
  readonly orderBy?: keyof typeof ORDERS | undefined
  readonly descending?: boolean | undefined
  readonly after?: InstancePosition | undefined
}

/** An instance in a list, and its place there. */
export interface ListedInstance extends InstanceRow {
  readonly position: InstancePosition
}

/** Instances of the workspace in the wanted order, and of equal ones by name; at most `limit`, those after `after`. */
export async function listInstances(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  filter: InstanceFilter,
  { limit, orderBy = 'name', descending = false, after }: InstancePage,
): Promise<ListedInstance[]> {
  const order = ORDERS[orderBy]
  let query = filtered(selectInstances(db).where('instance.workspace_id', '=', workspaceId), filter).select(
    order.as('order_value'),
  )
  if (after !== undefined) {
    const { value, name } = after
    query = query.where(
      descending
        ? sql<boolean>`(${order} < ${value} or (${order} = ${value} and instance.name > ${name}))`
        : sql<boolean>`(${order}, instance.name) > (${value}, ${name})`,
    )
  }
  const rows = await query
    .orderBy(order, descending ? 'desc' : 'asc')
    .orderBy('instance.name')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...instanceFromRow(row), position: { value: row.order_value, name: row.name } }))
}

function filtered(query: ReturnType<typeof selectInstances>, filter: InstanceFilter): typeof query {
  const { text, engine, environment, state, labels = {}, showDeleted, searchHosts = false } = filter
  let narrowed = query
  if (state !== undefined) narrowed = narrowed.where('instance.state', '=', state)
  else if (!showDeleted) narrowed = narrowed.where('instance.state', '<>', 'DELETED')
  if (engine !== undefined) narrowed = narrowed.where('instance.engine', '=', engine)
  if (environment !== undefined) narrowed = narrowed.where('instance.environment', '=', environment)
  for (const [key, value] of Object.entries(labels)) {
    narrowed = narrowed.where(
      value === null
        ? sql<boolean>`instance.labels ? ${key}`
        : sql<boolean>`instance.labels @> ${JSON.stringify({ [key]: value })}::jsonb`,
    )
  }
  if (text === undefined) return narrowed
  return narrowed.where(
    sql<boolean>`(strpos(lower(instance.name), lower(${text})) > 0 or strpos(lower(instance.title), lower(${text})) > 0
      or (${searchHosts} and instance.kind = 'external' and exists (
        select from data_source d where d.instance_id = instance.id and strpos(lower(d.host), lower(${text})) > 0)))`,
  )
}
