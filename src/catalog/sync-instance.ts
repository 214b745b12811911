import { asPosternError, PosternError } from '../base/errors.ts'
import type { DatabaseSummary } from '../engines/catalog-shapes.ts'
import type { EngineSession } from '../engines/engine.ts'
import {
  listCatalogDatabaseIds,
  listDatabasesReadBy,
  putCatalogDatabase,
  markDatabaseStale,
  removeCatalogDatabase,
  type SyncLease,
} from '../store/catalog-writes.ts'
import { findAdminDataSource } from '../store/data-sources.ts'
import { findInstanceById, type InstanceRow } from '../store/instances.ts'
import type { SyncRunRow } from '../store/sync-runs.ts'
import type { SyncDependencies } from './catalog-dependencies.ts'
import { syncDatabase } from './sync-database.ts'
import { inLease } from './in-lease.ts'
import type { SyncTally } from './sync-tally.ts'

const OPEN_TIMEOUT_MS = 20_000
/** Longest reading of one database; a stuck one must not hold up the others for ever. */
const DATABASE_LIMIT_MS = 30 * 60_000

/**
 * Reads the databases of an instance into the catalogue, one after the other, in bounded memory. A database or schema that
 * cannot be read is told of in the tally, and the next one follows; what was known of it stays, as stale. What is gone
 * upstream is removed. Nothing of the instance itself is written.
 *
 * @param run a run whose lease this node holds; one that was taken up before goes on behind the databases it has read
 * @throws PosternError UPSTREAM_* | INSTANCE_NOT_AVAILABLE when the databases cannot even be listed; CANCELLED when `signal` is
 *   aborted; LeaseLost
 */
export async function syncInstance(
  deps: SyncDependencies,
  run: SyncRunRow,
  holder: string,
  tally: SyncTally,
  signal: AbortSignal,
): Promise<void> {
  const instance = await findInstanceById(deps.store.db, run.instanceId)
  if (instance === undefined) throw new PosternError('INSTANCE_NOT_FOUND', 'the instance was removed meanwhile')
  const lease = { runId: run.id, holder }
  const sessions = new AdminSessions(deps, instance, signal)
  try {
    const session = await sessions.get()
    const listed = await session.listDatabases()
    const { databases, missing } = chosen(listed, run.databases ?? instance.syncDatabases)
    for (const name of missing) {
      tally.problem({ database: name, schema: null, code: 'DATABASE_NOT_FOUND', message: 'it does not exist there' })
    }
    const done = await listDatabasesReadBy(deps.store.db, instance.id, run.id)
    tally.databasesTotal = databases.length
    tally.databasesDone = databases.filter(({ name }) => done.has(name)).length
    await removeGone(deps, lease, instance, listed, run.databases, databases)
    for (const database of databases) {
      if (!done.has(database.name)) await readOne(deps, lease, instance, database, sessions, tally, signal)
      if (signal.aborted) throw cancelled()
    }
  } finally {
    await sessions.close()
  }
}

async function readOne(
  deps: SyncDependencies,
  lease: SyncLease,
  instance: InstanceRow,
  database: DatabaseSummary,
  sessions: AdminSessions,
  tally: SyncTally,
  signal: AbortSignal,
): Promise<void> {
  const databaseId = await inLease(deps.store, lease, (db) =>
    putCatalogDatabase(db, instance.id, database, lease.runId),
  )
  const limit = AbortSignal.any([signal, AbortSignal.timeout(DATABASE_LIMIT_MS)])
  try {
    const session = await sessions.get()
    await syncDatabase(deps, lease, { id: databaseId, name: database.name }, session, tally, limit)
    tally.databasesDone += 1
  } catch (thrown) {
    if (signal.aborted) throw cancelled()
    const error = limit.aborted ? tookTooLong() : asPosternError(thrown)
    // The store is ours, not the database's: without it nothing can be said of any database.
    if (error.code === 'INTERNAL' || error.code === 'STORE_UNAVAILABLE') throw thrown
    tally.problem({ database: database.name, schema: null, code: error.code, message: error.message })
    await inLease(deps.store, lease, (db) => markDatabaseStale(db, databaseId, lease.runId, error))
    tally.databasesDone += 1
    // Whatever broke may have broken the session.
    await sessions.close()
  }
}

/** Databases that the catalogue is to have, and names among the wanted ones that are not there. */
function chosen(
  listed: readonly DatabaseSummary[],
  wanted: readonly string[] | null,
): { databases: readonly DatabaseSummary[]; missing: readonly string[] } {
  if (wanted === null) return { databases: listed, missing: [] }
  const names = new Set(wanted)
  const there = new Set(listed.map(({ name }) => name))
  return { databases: listed.filter(({ name }) => names.has(name)), missing: wanted.filter((name) => !there.has(name)) }
}

/** A run of some databases says nothing of the others, but that they are gone. */
async function removeGone(
  deps: SyncDependencies,
  lease: SyncLease,
  instance: InstanceRow,
  listed: readonly DatabaseSummary[],
  runDatabases: readonly string[] | null,
  chosenDatabases: readonly DatabaseSummary[],
): Promise<void> {
  const kept = new Set((runDatabases === null ? chosenDatabases : listed).map(({ name }) => name))
  for (const { id, name } of await listCatalogDatabaseIds(deps.store.db, instance.id)) {
    if (!kept.has(name)) await inLease(deps.store, lease, (db) => removeCatalogDatabase(db, id))
  }
}

function cancelled(): PosternError {
  return new PosternError('CANCELLED', 'the reading of the catalogue was cancelled')
}

function tookTooLong(): PosternError {
  const minutes = DATABASE_LIMIT_MS / 60_000
  return new PosternError('UPSTREAM_TIMED_OUT', `reading the database took longer than ${minutes} minutes`)
}

/** The session of the admin data source, opened when it is first needed and again after it was closed. */
class AdminSessions {
  readonly #deps: SyncDependencies
  readonly #instance: InstanceRow
  readonly #signal: AbortSignal
  #session: EngineSession | undefined

  constructor(deps: SyncDependencies, instance: InstanceRow, signal: AbortSignal) {
    this.#deps = deps
    this.#instance = instance
    this.#signal = signal
  }

  async get(): Promise<EngineSession> {
    if (this.#session !== undefined) return this.#session
    const { store, openSession } = this.#deps
    const source = await findAdminDataSource(store.db, this.#instance.id)
    if (source === undefined) {
      throw new PosternError('INSTANCE_NOT_AVAILABLE', `instance '${this.#instance.name}' has no admin data source yet`)
    }
    const options = { purpose: 'admin', timeoutMs: OPEN_TIMEOUT_MS, signal: this.#signal } as const
    this.#session = await openSession(this.#instance, source, options)
    return this.#session
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    // What failed before is what the caller hears of.
    await session?.close().catch(() => undefined)
  }
}
