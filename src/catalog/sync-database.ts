import { asPosternError, type PosternError } from '../base/errors.ts'
import type { DescribedSchema } from '../engines/catalog-shapes.ts'
import type { EngineSession } from '../engines/engine.ts'
import {
  finishCatalogDatabase,
  putCatalogSchema,
  putCatalogSchemaProblem,
  putCatalogTables,
  removeOtherTables,
  storableTable,
  type StorableTable,
  type SyncLease,
} from '../store/catalog-writes.ts'
import type { SyncDependencies } from './catalog-dependencies.ts'
import { inLease, LeaseLost } from './in-lease.ts'
import type { SyncTally } from './sync-tally.ts'

/** Tables that are held in memory and written together; fewer where they are large. */
const BATCH_TABLES = 200
const BATCH_CHARACTERS = 1024 * 1024

/**
 * Reads one database, schema by schema. A schema that cannot be read, from its beginning or in the middle, keeps what was known
 * of it, as stale.
 * @throws PosternError UPSTREAM_* when the database as a whole cannot be read; LeaseLost
 */
export async function syncDatabase(
  deps: SyncDependencies,
  lease: SyncLease,
  database: { readonly id: string; readonly name: string },
  session: EngineSession,
  tally: SyncTally,
  signal: AbortSignal,
): Promise<void> {
  for await (const described of session.describe(database.name, { signal })) {
    signal.throwIfAborted()
    const problem = await readSchema(deps, lease, database.id, described, tally, signal)
    if (problem === undefined) {
      tally.schemasDone += 1
      continue
    }
    const { code, message } = problem
    tally.problem({ database: database.name, schema: described.schema, code, message })
    await inLease(deps.store, lease, (db) =>
      putCatalogSchemaProblem(db, database.id, described.schema, lease.runId, problem),
    )
  }
  signal.throwIfAborted()
  await inLease(deps.store, lease, (db) => finishCatalogDatabase(db, database.id, lease.runId))
}

/** @returns why the schema could not be read, or undefined when it was */
async function readSchema(
  { store }: SyncDependencies,
  lease: SyncLease,
  databaseId: string,
  described: DescribedSchema,
  tally: SyncTally,
  signal: AbortSignal,
): Promise<PosternError | undefined> {
  if ('problem' in described) return described.problem
  const { schema } = described
  await inLease(store, lease, (db) => putCatalogSchema(db, databaseId, schema, lease.runId))
  const batch = new TableBatch()
  const write = async (): Promise<void> => {
    const tables = batch.take()
    if (tables.length === 0) return
    await inLease(store, lease, (db) => putCatalogTables(db, databaseId, schema, tables, lease.runId))
    tally.tablesDone += tables.length
  }
  const tables = described.tables
  const iterator = Symbol.asyncIterator in tables ? tables[Symbol.asyncIterator]() : tables[Symbol.iterator]()
  try {
    for (;;) {
      const next = await readNext(iterator)
      if ('problem' in next) return next.problem
      if (next.done) break
      signal.throwIfAborted()
      batch.add(storableTable(next.table))
      if (batch.isFull) await write()
    }
  } finally {
    await iterator.return?.()
  }
  await write()
  await inLease(store, lease, (db) => removeOtherTables(db, databaseId, schema, lease.runId))
  return undefined
}

type TableIterator = Iterator<Parameters<typeof storableTable>[0]> | AsyncIterator<Parameters<typeof storableTable>[0]>
type NextTable =
  | { readonly done: true }
  | { readonly done: false; readonly table: Parameters<typeof storableTable>[0] }
  | { readonly problem: PosternError }

/** What the database throws is the schema's problem; what the store throws is not, and passes by here. */
async function readNext(iterator: TableIterator): Promise<NextTable> {
  try {
    const next = await iterator.next()
    return next.done === true ? { done: true } : { done: false, table: next.value }
  } catch (thrown) {
    const error = asPosternError(thrown)
    if (error.code === 'INTERNAL' || error.code === 'CANCELLED' || thrown instanceof LeaseLost) throw thrown
    return { problem: error }
  }
}

/** Tables by name: what is told twice is stored once. */
class TableBatch {
  #tables = new Map<string, StorableTable>()
  #characters = 0

  add(table: StorableTable): void {
    this.#tables.set(table.name, table)
    this.#characters += table.searchText.length * 4 + (table.definition?.length ?? 0) + 200
  }

  get isFull(): boolean {
    return this.#tables.size >= BATCH_TABLES || this.#characters >= BATCH_CHARACTERS
  }

  take(): StorableTable[] {
    const tables = [...this.#tables.values()]
    this.#tables = new Map()
    this.#characters = 0
    return tables
  }
}
