import { randomUUID } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import type { InstanceId } from '../base/ids.ts'
import type { DatabaseSummary, DescribedTable } from '../engines/catalog-shapes.ts'
import type { Schema } from './schema.ts'
import type { Store } from './store.ts'

/** Which run writes, and as which node. */
export interface SyncLease {
  readonly runId: string
  readonly holder: string
}

/** Rows that one statement removes: a schema of any size goes within the limit of a statement. */
const REMOVE_CHUNK = 2_000

/**
 * Runs `work` in a transaction, if the run is still this node's: one that was taken up by another node, was cancelled for good,
 * or whose instance is gone, writes nothing more.
 * @returns undefined then
 */
export async function withSyncLease<T>(
  store: Pick<Store, 'db'>,
  lease: SyncLease,
  work: (db: Kysely<Schema>) => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  return store.db.transaction().execute(async (db) => {
    const held = await db
      .selectFrom('sync_run')
      .select('id')
      .where('id', '=', lease.runId)
      .where('lease_holder', '=', lease.holder)
      .where('state', '=', 'RUNNING')
      .forShare()
      .executeTakeFirst()
    return held && { result: await work(db) }
  })
}

/** Notes a database of the instance, before its schemas are read. @returns its id in the catalogue */
export async function putCatalogDatabase(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  database: DatabaseSummary,
  runId: string,
): Promise<string> {
  const summary = {
    character_set: database.characterSet,
    collation_name: database.collation,
    size_bytes: database.sizeBytes,
    service_name: database.serviceName ?? null,
  }
  const { id } = await db
    .insertInto('catalog_database')
    .values({ id: randomUUID(), instance_id: instanceId, name: storable(database.name), run_id: runId, ...summary })
    .onConflict((conflict) => conflict.columns(['instance_id', 'name']).doUpdateSet(summary))
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** Databases of the instance that this run has read to their end already: a run that is taken up again goes on behind them. */
export async function listDatabasesReadBy(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  runId: string,
): Promise<Set<string>> {
  const rows = await db
    .selectFrom('catalog_database')
    .select('name')
    .where('instance_id', '=', instanceId)
    .where('run_id', '=', runId)
    .where('synced_at', 'is not', null)
    .where('stale', '=', false)
    .execute()
  return new Set(rows.map(({ name }) => name))
}

/** Notes a schema, before its tables are written. */
export async function putCatalogSchema(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string,
  runId: string,
): Promise<void> {
  await db
    .insertInto('catalog_schema')
    .values({ database_id: databaseId, name: storable(schema), run_id: runId })
    .onConflict((conflict) =>
      conflict
        .columns(['database_id', 'name'])
        .doUpdateSet({ run_id: runId, stale: false, problem_code: null, problem: null }),
    )
    .execute()
}

/** Notes a schema that could not be read. What was known of it stays, as stale. */
export async function putCatalogSchemaProblem(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string,
  runId: string,
  problem: { readonly code: string; readonly message: string },
): Promise<void> {
  const columns = { run_id: runId, stale: true, problem_code: problem.code, problem: storable(problem.message) }
  await db
    .insertInto('catalog_schema')
    .values({ database_id: databaseId, name: storable(schema), ...columns })
    .onConflict((conflict) => conflict.columns(['database_id', 'name']).doUpdateSet(columns))
    .execute()
}

/** Writes tables of one schema, over what was known of them. All of them travel in one JSON parameter. */
export async function putCatalogTables(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string,
  tables: readonly StorableTable[],
  runId: string,
): Promise<void> {
  await sql`
    insert into catalog_table (database_id, schema_name, name, kind, row_estimate, size_bytes, comment, definition, columns,
      indexes, search_text, run_id)
    select ${databaseId}::uuid, ${storable(schema)}, t.name, t.kind, t."rowEstimate", t."sizeBytes", t.comment, t.definition,
      t.columns, t.indexes, t."searchText", ${runId}::uuid
    from jsonb_to_recordset(${JSON.stringify(tables)}::jsonb) as t (name text, kind text, "rowEstimate" bigint, "sizeBytes" bigint,
      comment text, definition text, columns jsonb, indexes jsonb, "searchText" text)
    on conflict (database_id, schema_name, name) do update set kind = excluded.kind, row_estimate = excluded.row_estimate,
      size_bytes = excluded.size_bytes, comment = excluded.comment, definition = excluded.definition, columns = excluded.columns,
      indexes = excluded.indexes, search_text = excluded.search_text, run_id = excluded.run_id`.execute(db)
}

/** A table as it can be stored; see {@link storableTable}. */
export interface StorableTable extends DescribedTable {
  readonly searchText: string
}

/** Longest text of a view, of a comment and of a default that is kept, in characters. */
const DEFINITION_MAX = 64 * 1024
const COMMENT_MAX = 4 * 1024

/**
 * A table in the form that Postgres can store: no zero bytes, whole characters, whole numbers, no text without a bound. A name
 * that two tables share after that is stored once.
 */
export function storableTable(table: DescribedTable): StorableTable {
  const name = storable(table.name)
  const columns = table.columns.map((column) => ({
    name: storable(column.name),
    type: storable(column.type, COMMENT_MAX),
    nullable: column.nullable,
    defaultValue: storableOrNull(column.defaultValue, COMMENT_MAX),
    comment: storableOrNull(column.comment, COMMENT_MAX),
  }))
  return {
    name,
    kind: table.kind,
    rowEstimate: wholeOrNull(table.rowEstimate),
    sizeBytes: wholeOrNull(table.sizeBytes),
    comment: storableOrNull(table.comment, COMMENT_MAX),
    definition: storableOrNull(table.definition, DEFINITION_MAX),
    columns,
    indexes: table.indexes.map((index) => ({
      name: storable(index.name),
      columns: index.columns.map((column) => storable(column, COMMENT_MAX)),
      unique: index.unique,
      primary: index.primary,
    })),
    searchText: [name, ...columns.map((column) => column.name)].join('\n').toLowerCase(),
  }
}

/** Removes the tables of a schema that this run did not see. */
export async function removeOtherTables(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string,
  runId: string,
): Promise<void> {
  await repeat(async () => {
    const { numAffectedRows } =
      await sql`delete from catalog_table where ctid = any(array(select ctid from catalog_table
      where database_id = ${databaseId} and schema_name = ${storable(schema)} and run_id <> ${runId}
      limit ${REMOVE_CHUNK}))`.execute(db)
    return numAffectedRows
  })
}

/** Removes the schemas of a database that this run did not see, and marks the database as read. */
export async function finishCatalogDatabase(db: Kysely<Schema>, databaseId: string, runId: string): Promise<void> {
  const gone = await db
    .selectFrom('catalog_schema')
    .select('name')
    .where('database_id', '=', databaseId)
    .where('run_id', '<>', runId)
    .execute()
  for (const { name } of gone) {
    await removeOtherTables(db, databaseId, name, runId)
    await db.deleteFrom('catalog_schema').where('database_id', '=', databaseId).where('name', '=', name).execute()
  }
  await db
    .updateTable('catalog_database')
    .set({ synced_at: sql<Date>`now()`, stale: false, problem_code: null, problem: null, run_id: runId })
    .where('id', '=', databaseId)
    .execute()
}

/** Marks a database that could not be read: what was known of it stays, as stale. */
export async function markDatabaseStale(
  db: Kysely<Schema>,
  databaseId: string,
  runId: string,
  problem: { readonly code: string; readonly message: string },
): Promise<void> {
  await db
    .updateTable('catalog_database')
    .set({ stale: true, problem_code: problem.code, problem: storable(problem.message), run_id: runId })
    .where('id', '=', databaseId)
    .execute()
}

/** Databases that the catalogue has of an instance. */
export async function listCatalogDatabaseIds(
  db: Kysely<Schema>,
  instanceId: InstanceId,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return db.selectFrom('catalog_database').select(['id', 'name']).where('instance_id', '=', instanceId).execute()
}

/** Removes a database from the catalogue with everything in it. */
export async function removeCatalogDatabase(db: Kysely<Schema>, databaseId: string): Promise<void> {
  await repeat(async () => {
    const { numAffectedRows } =
      await sql`delete from catalog_table where ctid = any(array(select ctid from catalog_table
      where database_id = ${databaseId} limit ${REMOVE_CHUNK}))`.execute(db)
    return numAffectedRows
  })
  await db.deleteFrom('catalog_database').where('id', '=', databaseId).execute()
}

async function repeat(removeChunk: () => Promise<bigint | undefined>): Promise<void> {
  while (((await removeChunk()) ?? 0n) >= BigInt(REMOVE_CHUNK)) continue
}

/** Names of databases, schemas and tables come as they are; a zero byte or half a character cannot be stored. */
function storable(text: string, max = 1_024): string {
  return text.slice(0, max).replaceAll('\0', '\ufffd').toWellFormed()
}

function storableOrNull(text: string | null, max: number): string | null {
  return text === null ? null : storable(text, max)
}

function wholeOrNull(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Math.min(Math.round(value), Number.MAX_SAFE_INTEGER)
}
