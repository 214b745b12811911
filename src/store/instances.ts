import { sql, type ExpressionBuilder, type Kysely } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { EngineName, ManageMode } from '../contract/engines.ts'
import type { CompatibleSettings, InstanceStateColumn } from './schema-instances.ts'
import type { Schema } from './schema.ts'

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
  /** May log in by password although they are superusers, may replicate or are the user of a data source. */
  readonly nativeLoginRoles: readonly string[]
  /** Access tokens of the workspace are taken as passwords, besides database credentials. */
  readonly accessTokenLoginEnabled: boolean
  /** Open sessions end when what allowed their login is gone. */
  readonly endSessionsOnRevocation: boolean
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
  readonly compatibleSettings: CompatibleSettings
}

/** What a person says of an instance, for lists and for its catalogue. */
type InstanceSettings = Pick<
  InstanceRow,
  'title' | 'environment' | 'labels' | 'externalLink' | 'manageMode' | 'syncIntervalSeconds' | 'syncDatabases'
>

export type NewInstance = Pick<
  InstanceRow,
  'id' | 'workspaceId' | 'name' | 'kind' | 'engine' | 'state' | 'defaultDatabase' | 'creatorId'
> &
  Partial<
    Pick<InstanceRow, 'serverVersion' | 'systemIdentifier' | 'nativeLoginEnabled' | 'compatibleSettings'> &
      InstanceSettings
  >

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
      native_login_enabled: instance.nativeLoginEnabled ?? false,
      compatible_settings: JSON.stringify(instance.compatibleSettings ?? {}),
      creator_id: instance.creatorId,
      title: instance.title ?? '',
      environment: instance.environment ?? null,
      labels: JSON.stringify(instance.labels ?? {}),
      external_link: instance.externalLink ?? null,
      manage_mode: instance.manageMode ?? null,
      sync_interval_seconds: instance.syncIntervalSeconds ?? null,
      sync_databases:
        instance.syncDatabases === undefined ? null : instance.syncDatabases && [...instance.syncDatabases],
      deleted_at: null,
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

export type InstanceChange = Partial<
  Pick<
    InstanceRow,
    | 'state'
    | 'stateReason'
    | 'nativeLoginEnabled'
    | 'nativeLoginRoles'
    | 'accessTokenLoginEnabled'
    | 'endSessionsOnRevocation'
    | 'defaultDatabase'
    | 'serverVersion'
    | 'systemIdentifier'
    | 'deletedAt'
    | 'compatibleSettings'
    | keyof InstanceSettings
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
      native_login_roles: change.nativeLoginRoles && [...change.nativeLoginRoles],
      access_token_login_enabled: change.accessTokenLoginEnabled,
      end_sessions_on_revocation: change.endSessionsOnRevocation,
      default_database: change.defaultDatabase,
      server_version: change.serverVersion,
      system_identifier: change.systemIdentifier,
      deleted_at: change.deletedAt,
      compatible_settings: change.compatibleSettings && JSON.stringify(change.compatibleSettings),
      title: change.title,
      environment: change.environment,
      labels: change.labels && JSON.stringify(change.labels),
      external_link: change.externalLink,
      manage_mode: change.manageMode,
      sync_interval_seconds: change.syncIntervalSeconds,
      sync_databases: change.syncDatabases && [...change.syncDatabases],
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

/** Instances with the names of their creators, for the queries of this folder. */
export function selectInstances(db: Kysely<Schema>) {
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

export function instanceFromRow(row: SelectedInstance): InstanceRow {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    kind: row.kind,
    engine: row.engine,
    state: row.state,
    stateReason: row.state_reason,
    nativeLoginEnabled: row.native_login_enabled,
    nativeLoginRoles: row.native_login_roles,
    accessTokenLoginEnabled: row.access_token_login_enabled,
    endSessionsOnRevocation: row.end_sessions_on_revocation,
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
    compatibleSettings: row.compatible_settings,
  }
}
