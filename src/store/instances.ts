import { sql, type ExpressionBuilder, type Kysely } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { EngineName, ManageMode } from '../contract/engines.ts'
import type { InstanceStateColumn, Schema } from './schema.ts'

/** A database server that Postern guards. */
export interface InstanceRow {
  readonly id: InstanceId
  readonly workspaceId: WorkspaceId
  readonly name: string
  readonly kind: 'external' | 'managed'
  readonly engine: EngineName
  readonly state: InstanceStateColumn
  readonly stateReason: string | null
  readonly nativeLoginEnabled: boolean
  readonly defaultDatabase: string
  readonly serverVersion: string | null
  /** The cluster that was last seen there, from its control file. */
  readonly systemIdentifier: string | null
  readonly creatorId: PrincipalId | null
  /** E-mail, client id or group name of the creator; null when the creator was deleted. */
  readonly creatorName: string | null
  /** Domain of its workspace: `<name>.<gatewayDomain>` routes to it by SNI. */
  readonly gatewayDomain: string
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Goes up with every change: the etag. */
  readonly version: string
  readonly title: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly externalLink: string | null
  /** What Postern takes for a database; null where databases are simply databases. */
  readonly manageMode: ManageMode | null
  /** How often its catalogue is read again; null: only on demand. */
  readonly syncIntervalSeconds: number | null
  /** Databases that the catalogue holds; null: all. */
  readonly syncDatabases: readonly string[] | null
  /** Since when it is DELETED. */
  readonly deletedAt: Date | null
}

export type NewInstance = Pick<
  InstanceRow,
  'id' | 'workspaceId' | 'name' | 'kind' | 'engine' | 'state' | 'defaultDatabase' | 'creatorId'
> &
  Partial<Pick<InstanceRow, 'serverVersion' | 'systemIdentifier'>>

export async function insertInstance(db: Kysely<Schema>, instance: NewInstance): Promise<void> {
  await db
    .insertInto('instance')
    .values({
      id: instance.id,
      workspace_id: instance.workspaceId,
      name: instance.name,
      kind: instance.kind,
      engine: instance.engine,
      state: instance.state,
      state_reason: null,
      default_database: instance.defaultDatabase,
      server_version: instance.serverVersion ?? null,
      system_identifier: instance.systemIdentifier ?? null,
      creator_id: instance.creatorId,
    })
    .execute()
}

/** The instance of that name in the workspace. `forUpdate` holds its row until the end of the transaction. */
export async function findInstance(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  name: string,
  lock: { readonly forUpdate: boolean } = { forUpdate: false },
): Promise<InstanceRow | undefined> {
  const query = selectInstances(db).where('instance.workspace_id', '=', workspaceId).where('instance.name', '=', name)
  const row = await (lock.forUpdate ? query.forUpdate('instance') : query).executeTakeFirst()
  return row && instanceFromRow(row)
}

export async function findInstanceById(db: Kysely<Schema>, id: InstanceId): Promise<InstanceRow | undefined> {
  const row = await selectInstances(db).where('instance.id', '=', id).executeTakeFirst()
  return row && instanceFromRow(row)
}

/** Instances of the workspace in the order of their names, at most `limit`, those after the name `after`. */
export async function listInstances(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  page: {
    readonly limit: number
    readonly after?: string | undefined
    readonly nameContains?: string | undefined
  },
): Promise<InstanceRow[]> {
  let query = selectInstances(db).where('instance.workspace_id', '=', workspaceId)
  if (page.after !== undefined) query = query.where('instance.name', '>', page.after)
  if (page.nameContains !== undefined) {
    query = query.where(sql<boolean>`strpos(instance.name, lower(${page.nameContains})) > 0`)
  }
  const rows = await query.orderBy('instance.name').limit(page.limit).execute()
  return rows.map(instanceFromRow)
}

export type InstanceChange = Partial<
  Pick<
    InstanceRow,
    'state' | 'stateReason' | 'nativeLoginEnabled' | 'defaultDatabase' | 'serverVersion' | 'systemIdentifier'
  >
>

/** Changes the fields that are named and moves the version on. */
export async function changeInstance(db: Kysely<Schema>, id: InstanceId, change: InstanceChange): Promise<void> {
  await db
    .updateTable('instance')
    .set({
      state: change.state,
      state_reason: change.stateReason,
      native_login_enabled: change.nativeLoginEnabled,
      default_database: change.defaultDatabase,
      server_version: change.serverVersion,
      system_identifier: change.systemIdentifier,
      version: sql`version + 1`,
      updated_at: sql`now()`,
    })
    .where('id', '=', id)
    .execute()
}

/** Removes the instance with its data sources and Postgres role bindings. */
export async function deleteInstance(db: Kysely<Schema>, id: InstanceId): Promise<void> {
  await db.deleteFrom('instance').where('id', '=', id).execute()
}

function selectInstances(db: Kysely<Schema>) {
  return db
    .selectFrom('instance')
    .innerJoin('workspace', 'workspace.id', 'instance.workspace_id')
    .selectAll('instance')
    .select('workspace.gateway_domain')
    .select((instance) => creatorName(instance).as('creator_name'))
}

function creatorName(instance: ExpressionBuilder<Schema, 'instance'>) {
  return instance
    .selectFrom('principal')
    .leftJoin('user_account', 'user_account.principal_id', 'principal.id')
    .leftJoin('service_principal', 'service_principal.principal_id', 'principal.id')
    .whereRef('principal.id', '=', 'instance.creator_id')
    .select(
      sql<string>`coalesce(user_account.email, service_principal.client_id::text, principal.display_name)`.as('name'),
    )
}

type SelectedInstance = Awaited<ReturnType<ReturnType<typeof selectInstances>['executeTakeFirstOrThrow']>>

function instanceFromRow(row: SelectedInstance): InstanceRow {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    kind: row.kind,
    engine: row.engine,
    state: row.state,
    stateReason: row.state_reason,
    nativeLoginEnabled: row.native_login_enabled,
    defaultDatabase: row.default_database,
    serverVersion: row.server_version,
    systemIdentifier: row.system_identifier,
    creatorId: row.creator_id,
    creatorName: row.creator_name,
    gatewayDomain: row.gateway_domain,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
    title: row.title,
    environment: row.environment,
    labels: row.labels,
    externalLink: row.external_link,
    manageMode: row.manage_mode,
    syncIntervalSeconds: row.sync_interval_seconds,
    syncDatabases: row.sync_databases,
    deletedAt: row.deleted_at,
  }
}
