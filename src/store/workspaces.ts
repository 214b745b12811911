import { sql, type Kysely, type Transaction } from 'kysely'
import type { WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** A workspace and the Host header values that select it. */
export interface WorkspaceRow {
  readonly id: WorkspaceId
  readonly name: string
  readonly gatewayDomain: string
  /** Lower-case names, or name:port. */
  readonly hosts: readonly string[]
  /** The one that the first start of the deployment made; its administrators create the others. */
  readonly isFirst: boolean
}

/** Lets one transaction at a time create workspaces; the others wait until it ends. */
export async function lockWorkspaces(db: Transaction<Schema>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('postern.workspaces', 0))`.execute(db)
}

/** Inserts a workspace; one that finds no other is the first of the deployment. Call under {@link lockWorkspaces}. */
export async function insertWorkspace(
  db: Kysely<Schema>,
  workspace: Pick<WorkspaceRow, 'id' | 'name' | 'gatewayDomain'>,
): Promise<void> {
  await db
    .insertInto('workspace')
    .values({
      id: workspace.id,
      name: workspace.name,
      gateway_domain: workspace.gatewayDomain,
      is_first: sql<boolean>`not exists (select from workspace)`,
    })
    .execute()
}

/** Adds Host header values; one that selects a workspace already keeps selecting that one. */
export async function addWorkspaceHosts(db: Kysely<Schema>, id: WorkspaceId, hosts: readonly string[]): Promise<void> {
  if (hosts.length === 0) return
  await db
    .insertInto('workspace_host')
    .values(hosts.map((host) => ({ host: host.toLowerCase(), workspace_id: id })))
    .onConflict((conflict) => conflict.column('host').doNothing())
    .execute()
}

/** Gives a workspace another name and gateway domain. */
export async function updateWorkspace(
  db: Kysely<Schema>,
  id: WorkspaceId,
  change: { readonly name: string; readonly gatewayDomain: string },
): Promise<void> {
  await db
    .updateTable('workspace')
    .set({ name: change.name, gateway_domain: change.gatewayDomain })
    .where('id', '=', id)
    .execute()
}

/** Makes these the Host header values of a workspace; one that another workspace has breaks workspace_host_pkey. */
export async function replaceWorkspaceHosts(
  db: Kysely<Schema>,
  id: WorkspaceId,
  hosts: readonly string[],
): Promise<void> {
  await db.deleteFrom('workspace_host').where('workspace_id', '=', id).execute()
  if (hosts.length === 0) return
  await db
    .insertInto('workspace_host')
    .values(hosts.map((host) => ({ host: host.toLowerCase(), workspace_id: id })))
    .execute()
}

/** Every workspace of the deployment with its hosts: few rows, so readers filter. */
export async function listWorkspaces(db: Kysely<Schema>): Promise<WorkspaceRow[]> {
  const rows = await db
    .selectFrom('workspace')
    .leftJoin('workspace_host', 'workspace_host.workspace_id', 'workspace.id')
    .select(['workspace.id', 'workspace.name', 'workspace.gateway_domain', 'workspace.is_first', 'workspace_host.host'])
    .orderBy('workspace.created_at')
    .orderBy('workspace_host.host')
    .execute()
  const byId = new Map<string, WorkspaceRow & { hosts: string[] }>()
  for (const row of rows) {
    const id = row.id
    const workspace = byId.get(id) ?? {
      id,
      name: row.name,
      gatewayDomain: row.gateway_domain,
      isFirst: row.is_first,
      hosts: [],
    }
    if (row.host !== null) workspace.hosts.push(row.host)
    byId.set(id, workspace)
  }
  return [...byId.values()]
}

/** What readiness asks: the database's own time, and whether it takes changes (a standby and a read-only database do not). */
export async function readStoreState(
  db: Kysely<Schema>,
): Promise<{ readonly now: Date; readonly takesChanges: boolean }> {
  const { rows } = await sql<{ now: Date; takesChanges: boolean }>`
    select clock_timestamp() as now, current_setting('transaction_read_only') = 'off' as "takesChanges"`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('the store answered nothing')
  return row
}
