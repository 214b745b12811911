import { randomUUID } from 'node:crypto'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { InstanceId, PrincipalId } from '../base/ids.ts'
import type { CatalogSchema, SyncProblem, SyncReason, SyncState } from './schema-catalog.ts'
import type { Schema } from './schema.ts'

export type { SyncProblem, SyncReason, SyncState } from './schema-catalog.ts'

/** A reading of the catalogue of one instance. */
export interface SyncRunRow {
  readonly id: string
  readonly instanceId: InstanceId
  readonly reason: SyncReason
  /** Null: every database that the instance is to have. */
  readonly databases: readonly string[] | null
  readonly state: SyncState
  /** How many times a node took it up. */
  readonly attempts: number
  readonly cancelRequested: boolean
  readonly databasesTotal: number | null
  readonly databasesDone: number
  readonly schemasDone: number
  readonly tablesDone: number
  readonly problemCount: number
  /** The first of them. */
  readonly problems: readonly SyncProblem[]
  readonly failureCode: string | null
  readonly failure: string | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
}

/** NOTIFY with the id of an instance: something is to be read, or no longer. */
export const SYNC_CHANNEL = 'postern_sync'

/**
 * Asks for a reading. Whoever asks again before it began gets the same run, which then reads what either wanted; one that is
 * under way is followed by another, since it may have passed what changed.
 * @param databases null: all
 * @returns the id of the run
 */
export async function queueSyncRun(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  wish: {
    readonly reason: SyncReason
    readonly databases: readonly string[] | null
    readonly requestedBy: PrincipalId | null
  },
): Promise<string> {
  const { id } = await db
    .insertInto('sync_run')
    .values({
      id: randomUUID(),
      instance_id: instanceId,
      reason: wish.reason,
      requested_by: wish.requestedBy,
      databases: wish.databases === null ? null : [...wish.databases],
    })
    .onConflict((conflict) =>
      conflict
        .column('instance_id')
        .where('state', '=', 'QUEUED')
        .doUpdateSet({
          // An array beside null is null: all databases are more than some.
          databases: sql`(select array_agg(distinct name) from unnest(sync_run.databases || excluded.databases) name
            where sync_run.databases is not null and excluded.databases is not null)`,
          requested_by: sql`coalesce(sync_run.requested_by, excluded.requested_by)`,
          cancel_requested: false,
        }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  await sql`select pg_notify(${SYNC_CHANNEL}, ${instanceId})`.execute(db)
  return id
}

/**
 * Takes up a run that waits, or one whose node is gone: its lease is over. No instance is read twice at a time, and none before it
 * is AVAILABLE.
 * @returns undefined when there is none
 */
export async function claimSyncRun(
  db: Kysely<Schema>,
  holder: string,
  leaseSeconds: number,
): Promise<SyncRunRow | undefined> {
  try {
    const row = await claim(db, holder, leaseSeconds)
    return row && syncRunFromRow(row)
  } catch (thrown) {
    // Another node took up a run of the same instance in this very moment.
    if ((thrown as { constraint?: unknown }).constraint === 'sync_run_runs_once') return undefined
    throw thrown
  }
}

function claim(db: Kysely<Schema>, holder: string, leaseSeconds: number) {
  return db
    .updateTable('sync_run')
    .set({
      state: 'RUNNING',
      lease_holder: holder,
      lease_until: sql<Date>`now() + make_interval(secs => ${leaseSeconds})`,
      attempts: sql<number>`attempts + 1`,
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where('id', '=', (query) =>
      query
        .selectFrom('sync_run as next')
        .select('next.id')
        .where(
          sql<boolean>`next.state = 'QUEUED' and exists (select from instance i where i.id = next.instance_id and i.state = 'AVAILABLE')
              and not exists (select from sync_run other where other.instance_id = next.instance_id
              and other.state = 'RUNNING') or next.state = 'RUNNING' and next.lease_until < now()`,
        )
        .orderBy('next.created_at')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .executeTakeFirst()
}

/** What a run has done so far. */
export type SyncProgress = Partial<
  Pick<SyncRunRow, 'databasesTotal' | 'databasesDone' | 'schemasDone' | 'tablesDone' | 'problemCount' | 'problems'>
>

/**
 * Keeps the lease of a run and writes its progress.
 * @returns `lost` when another node has taken it up, or it is gone with its instance; `cancelled` when somebody asked for that
 */
export async function keepSyncRun(
  db: Kysely<Schema>,
  id: string,
  holder: string,
  leaseSeconds: number,
  progress: SyncProgress,
): Promise<'kept' | 'cancelled' | 'lost'> {
  const row = await db
    .updateTable('sync_run')
    .set({ lease_until: sql<Date>`now() + make_interval(secs => ${leaseSeconds})`, ...progressColumns(progress) })
    .where('id', '=', id)
    .where('lease_holder', '=', holder)
    .where('state', '=', 'RUNNING')
    .returning('cancel_requested')
    .executeTakeFirst()
  return row === undefined ? 'lost' : row.cancel_requested ? 'cancelled' : 'kept'
}

/** Ends a run that this holder has; does nothing when it has it no longer. */
export async function endSyncRun(
  db: Kysely<Schema>,
  id: string,
  holder: string,
  end: {
    readonly state: 'DONE' | 'FAILED' | 'CANCELLED'
    readonly failureCode?: string
    readonly failure?: string
    readonly progress: SyncProgress
  },
): Promise<void> {
  await db
    .updateTable('sync_run')
    .set({
      state: end.state,
      failure_code: end.failureCode ?? null,
      failure: end.failure ?? null,
      lease_holder: null,
      lease_until: null,
      finished_at: sql<Date>`now()`,
      ...progressColumns(end.progress),
    })
    .where('id', '=', id)
    .where('lease_holder', '=', holder)
    .execute()
}

/** Lets go of a run so that another node takes it up at once: this one is ending. */
export async function releaseSyncRun(db: Kysely<Schema>, id: string, holder: string): Promise<void> {
  await db
    .updateTable('sync_run')
    .set({ lease_until: sql<Date>`now() - interval '1 second'`, attempts: sql<number>`greatest(attempts - 1, 0)` })
    .where('id', '=', id)
    .where('lease_holder', '=', holder)
    .execute()
}

/**
 * Asks a run to end. One that still waits ends at once.
 * @returns the run, or undefined when this instance has none of this id
 */
export async function cancelSyncRun(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  id: string,
): Promise<SyncRunRow | undefined> {
  await db
    .updateTable('sync_run')
    .set({
      cancel_requested: true,
      state: sql<SyncState>`case state when 'QUEUED' then 'CANCELLED' else state end`,
      finished_at: sql<Date | null>`case state when 'QUEUED' then now() end`,
    })
    .where('id', '=', id)
    .where('instance_id', '=', instanceId)
    .where('state', 'in', ['QUEUED', 'RUNNING'])
    .execute()
  await sql`select pg_notify(${SYNC_CHANNEL}, ${instanceId})`.execute(db)
  return findSyncRun(db, instanceId, id)
}

export async function findSyncRun(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  id: string,
): Promise<SyncRunRow | undefined> {
  const row = await db
    .selectFrom('sync_run')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && syncRunFromRow(row)
}

/** Runs of an instance, the newest first, at most `limit`, those before `before`. */
export async function listSyncRuns(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  page: { readonly limit: number; readonly before?: { readonly createdAt: Date; readonly id: string } | undefined },
): Promise<SyncRunRow[]> {
  let query = db.selectFrom('sync_run').selectAll().where('instance_id', '=', instanceId)
  const { before } = page
  if (before !== undefined) {
    query = query.where((row) => row(row.refTuple('created_at', 'id'), '<', row.tuple(before.createdAt, before.id)))
  }
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(page.limit).execute()
  return rows.map(syncRunFromRow)
}

/** Instances whose interval has passed since they were last read, or tried to be, and that nothing reads now. */
export async function listDueInstances(db: Kysely<Schema>, limit: number): Promise<InstanceId[]> {
  const { rows } = await sql<{ id: InstanceId }>`
    select i.id from instance i
    where i.sync_interval_seconds is not null and i.state = 'AVAILABLE'
      and not exists (select from sync_run r where r.instance_id = i.id
        and (r.state in ('QUEUED', 'RUNNING') or r.created_at > now() - make_interval(secs => i.sync_interval_seconds)))
    limit ${limit}`.execute(db)
  return rows.map(({ id }) => id)
}

/** Forgets all but the newest runs of every instance. */
export async function forgetOldSyncRuns(db: Kysely<Schema>, keep: number): Promise<void> {
  await sql`delete from sync_run where id in (
    select id from (select id, state, row_number() over (partition by instance_id order by created_at desc, id desc) as place
      from sync_run) aged where place > ${keep} and state in ('DONE', 'FAILED', 'CANCELLED') limit 1000)`.execute(db)
}

function progressColumns(progress: SyncProgress) {
  return {
    databases_total: progress.databasesTotal,
    databases_done: progress.databasesDone,
    schemas_done: progress.schemasDone,
    tables_done: progress.tablesDone,
    problem_count: progress.problemCount,
    problems: progress.problems && JSON.stringify(progress.problems),
  }
}

function syncRunFromRow(row: Selectable<CatalogSchema['sync_run']>): SyncRunRow {
  return {
    id: row.id,
    instanceId: row.instance_id,
    reason: row.reason,
    databases: row.databases,
    state: row.state,
    attempts: row.attempts,
    cancelRequested: row.cancel_requested,
    databasesTotal: row.databases_total,
    databasesDone: row.databases_done,
    schemasDone: row.schemas_done,
    tablesDone: Number(row.tables_done),
    problemCount: row.problem_count,
    problems: row.problems,
    failureCode: row.failure_code,
    failure: row.failure,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}
