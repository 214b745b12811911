import { sql, type Kysely, type Selectable } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { SqlSchema, SqlSource, SqlState, SqlTruncation } from './schema-sql.ts'
import type { Schema } from './schema.ts'

export type { SqlSource, SqlState, SqlTruncation } from './schema-sql.ts'

/** A statement that somebody ran, or runs. */
export interface SqlExecutionRow {
  readonly id: string
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly instanceId: InstanceId | null
  readonly instanceName: string
  readonly source: SqlSource
  readonly dataSourceName: string | null
  readonly postgresRole: string | null
  readonly database: string
  /** Sealed for this row; see `statementContext` of the sql folder. */
  readonly statementSealed: Buffer
  readonly statementKind: string
  readonly state: SqlState
  readonly errorCode: string | null
  /** As the database numbers its errors. */
  readonly sqlstate: string | null
  readonly truncated: SqlTruncation | null
  readonly rowCount: number | null
  readonly byteCount: number | null
  readonly elapsedMs: number | null
  readonly startedAt: Date
}

/** NOTIFY with the id of an execution that is to be cancelled, on whichever node it runs. */
export const SQL_CANCEL_CHANNEL = 'postern_sql_cancel'

export type NewSqlExecution = Pick<
  SqlExecutionRow,
  | 'id'
  | 'workspaceId'
  | 'principalId'
  | 'instanceName'
  | 'source'
  | 'dataSourceName'
  | 'postgresRole'
  | 'database'
  | 'statementSealed'
  | 'statementKind'
> & { readonly instanceId: InstanceId }

/** @param longestSeconds after this the execution counts as over, whether its node said so or not */
export async function insertSqlExecution(
  db: Kysely<Schema>,
  execution: NewSqlExecution,
  longestSeconds: number,
): Promise<void> {
  await db
    .insertInto('sql_execution')
    .values({
      id: execution.id,
      workspace_id: execution.workspaceId,
      principal_id: execution.principalId,
      instance_id: execution.instanceId,
      instance_name: execution.instanceName,
      source: execution.source,
      data_source_name: execution.dataSourceName,
      postgres_role: execution.postgresRole,
      database: execution.database,
      statement_sealed: execution.statementSealed,
      statement_kind: execution.statementKind,
      running_until: sql<Date>`now() + make_interval(secs => ${longestSeconds})`,
    })
    .execute()
}

/** How an execution ended. */
export type SqlExecutionEnd = Pick<
  SqlExecutionRow,
  'errorCode' | 'sqlstate' | 'truncated' | 'rowCount' | 'byteCount' | 'elapsedMs'
> & { readonly state: Exclude<SqlState, 'RUNNING'> }

export async function endSqlExecution(db: Kysely<Schema>, id: string, end: SqlExecutionEnd): Promise<void> {
  await db
    .updateTable('sql_execution')
    .set({
      state: end.state,
      error_code: end.errorCode,
      sqlstate: end.sqlstate,
      truncated: end.truncated,
      row_count: end.rowCount,
      byte_count: end.byteCount,
      elapsed_ms: end.elapsedMs,
    })
    .where('id', '=', id)
    .execute()
}

export async function findSqlExecution(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  id: string,
): Promise<SqlExecutionRow | undefined> {
  const row = await selectExecutions(db).where('workspace_id', '=', workspaceId).where('id', '=', id).executeTakeFirst()
  return row && executionFromRow(row)
}

/** Which executions of a principal are wanted. */
export interface SqlHistoryFilter {
  readonly instanceName?: string | undefined
  readonly state?: SqlState | undefined
  readonly since?: Date | undefined
}

/** Statements are long: one answer of the store holds no more of them, however many are asked for. */
const SEALED_AT_ONCE_BYTES = 8 * 1024 * 1024

/**
 * Executions of one principal, the newest first, those before `before`: at most `limit`, and fewer where their statements are long.
 * @returns `isLast`: there are no more
 */
export async function listSqlExecutions(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
  filter: SqlHistoryFilter,
  page: { readonly limit: number; readonly before?: { readonly startedAt: Date; readonly id: string } | undefined },
): Promise<{ readonly rows: SqlExecutionRow[]; readonly isLast: boolean }> {
  let query = selectExecutions(db).where('workspace_id', '=', workspaceId).where('principal_id', '=', principalId)
  const { before } = page
  if (filter.instanceName !== undefined) query = query.where('instance_name', '=', filter.instanceName)
  if (filter.since !== undefined) query = query.where('started_at', '>=', filter.since)
  if (filter.state !== undefined) query = query.where(shownState, '=', filter.state)
  if (before !== undefined) {
    query = query.where((row) => row(row.refTuple('started_at', 'id'), '<', row.tuple(before.startedAt, before.id)))
  }
  const wanted = query.orderBy('started_at', 'desc').orderBy('id', 'desc').limit(page.limit).as('wanted')
  const length = sql<number>`octet_length(statement_sealed)`
  const measured = db
    .selectFrom(wanted)
    .selectAll()
    .select([
      sql<string>`sum(${length}) over (order by started_at desc, id desc) - ${length}`.as('bytes_before'),
      sql<string>`count(*) over ()`.as('found'),
    ])
    .as('measured')
  const rows = await db
    .selectFrom(measured)
    .selectAll()
    .where('bytes_before', '<', String(SEALED_AT_ONCE_BYTES))
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  const found = Number(rows[0]?.found ?? 0)
  return { rows: rows.map(executionFromRow), isLast: rows.length === found && found < page.limit }
}

/**
 * Forgets executions of a principal that have ended.
 * @param id only this one; undefined: all
 * @returns how many
 */
export async function deleteSqlExecutions(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
  id: string | undefined,
): Promise<number> {
  let query = db
    .deleteFrom('sql_execution')
    .where('workspace_id', '=', workspaceId)
    .where('principal_id', '=', principalId)
    .where(shownState, '<>', 'RUNNING')
  if (id !== undefined) query = query.where('id', '=', id)
  return Number((await query.executeTakeFirst()).numDeletedRows)
}

/** Forgets what is older than the retention, some at a time. @returns how many */
export async function forgetOldSqlExecutions(db: Kysely<Schema>, retentionDays: number): Promise<number> {
  const { numAffectedRows } = await sql`delete from sql_execution where id in (
    select id from sql_execution where started_at < now() - make_interval(days => ${retentionDays}) limit 5000)`.execute(
    db,
  )
  return Number(numAffectedRows ?? 0n)
}

/**
 * Forgets the oldest of each principal that is beyond its share, some at a time, so that nobody can fill the store.
 * @returns how many
 */
export async function forgetSurplusSqlExecutions(
  db: Kysely<Schema>,
  share: { readonly entries: number; readonly bytes: number },
): Promise<number> {
  const { numAffectedRows } = await sql`delete from sql_execution where id in (
    select id from (
      select id, row_number() over newest_first as entries, sum(octet_length(statement_sealed)) over newest_first as bytes
      from sql_execution
      window newest_first as (partition by workspace_id, principal_id order by started_at desc, id desc)
    ) as counted
    where entries > ${share.entries} or bytes > ${share.bytes} limit 5000)
    and ${shownState} <> 'RUNNING'`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/** Whoever should have written the end is gone. */
const shownState = sql<SqlState>`case when state = 'RUNNING' and running_until < now() then 'FAILED' else state end`

function selectExecutions(db: Kysely<Schema>) {
  return db.selectFrom('sql_execution').selectAll().select(shownState.as('shown_state'))
}

function executionFromRow(row: Selectable<SqlSchema['sql_execution']> & { shown_state: SqlState }): SqlExecutionRow {
  const numberOrNull = (text: string | null) => (text === null ? null : Number(text))
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    principalId: row.principal_id,
    instanceId: row.instance_id,
    instanceName: row.instance_name,
    source: row.source,
    dataSourceName: row.data_source_name,
    postgresRole: row.postgres_role,
    database: row.database,
    statementSealed: row.statement_sealed,
    statementKind: row.statement_kind,
    state: row.shown_state,
    errorCode: row.error_code,
    sqlstate: row.sqlstate,
    truncated: row.truncated,
    rowCount: numberOrNull(row.row_count),
    byteCount: numberOrNull(row.byte_count),
    elapsedMs: numberOrNull(row.elapsed_ms),
    startedAt: row.started_at,
  }
}
