import { sql, type Kysely } from 'kysely'
import type pg from 'pg'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { DescribedColumn, DescribedIndex, DescribedTable } from '../engines/catalog-shapes.ts'
import { withHeldPrincipals } from './held-principals.ts'
import type { Schema } from './schema.ts'

/** A database as it was last read. */
export interface CatalogDatabaseRow {
  readonly id: string
  readonly name: string
  readonly characterSet: string | null
  readonly collation: string | null
  readonly sizeBytes: number | null
  readonly serviceName: string | null
  readonly syncedAt: Date | null
  readonly stale: boolean
  readonly problemCode: string | null
  readonly problem: string | null
}

export interface CatalogSchemaRow {
  readonly name: string
  readonly stale: boolean
  readonly problemCode: string | null
  readonly problem: string | null
  readonly tableCount: number
}

/** A table without its columns. */
export interface CatalogTableSummary {
  readonly schema: string
  readonly name: string
  readonly kind: DescribedTable['kind']
  readonly rowEstimate: number | null
  readonly sizeBytes: number | null
  readonly comment: string | null
}

export interface CatalogTableRow extends CatalogTableSummary {
  readonly definition: string | null
  readonly columns: readonly DescribedColumn[]
  readonly indexes: readonly DescribedIndex[]
}

/** A table that a search found, and the columns by whose names it was found. */
export interface CatalogFind {
  readonly instance: string
  readonly database: string
  readonly schema: string
  readonly table: string
  readonly kind: DescribedTable['kind']
  readonly matchedColumns: readonly string[]
}

/** Part of a list: at most `limit`, those behind `after` in its order, those whose name holds `filter` in any case. */
export interface CatalogPage<Position> {
  readonly limit: number
  readonly after?: Position | undefined
  readonly filter?: string | undefined
}

export async function listCatalogDatabases(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  page: CatalogPage<string>,
): Promise<CatalogDatabaseRow[]> {
  let query = selectDatabases(db, instanceId)
  if (page.after !== undefined) query = query.where('name', '>', page.after)
  if (page.filter !== undefined) query = query.where(holds('name', page.filter))
  const rows = await query.orderBy('name').limit(page.limit).execute()
  return rows.map(databaseFromRow)
}

export async function findCatalogDatabase(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  name: string,
): Promise<CatalogDatabaseRow | undefined> {
  const row = await selectDatabases(db, instanceId).where('name', '=', name).executeTakeFirst()
  return row && databaseFromRow(row)
}

export async function listCatalogSchemas(
  db: Kysely<Schema>,
  databaseId: string,
  page: CatalogPage<string>,
): Promise<CatalogSchemaRow[]> {
  let query = db
    .selectFrom('catalog_schema as s')
    .select(['s.name', 's.stale', 's.problem_code', 's.problem'])
    .select((schema) =>
      schema
        .selectFrom('catalog_table as t')
        .whereRef('t.database_id', '=', 's.database_id')
        .whereRef('t.schema_name', '=', 's.name')
        .select(sql<string>`count(*)`.as('count'))
        .as('table_count'),
    )
    .where('s.database_id', '=', databaseId)
  if (page.after !== undefined) query = query.where('s.name', '>', page.after)
  if (page.filter !== undefined) query = query.where(holds('s.name', page.filter))
  const rows = await query.orderBy('s.name').limit(page.limit).execute()
  return rows.map((row) => ({
    name: row.name,
    stale: row.stale,
    problemCode: row.problem_code,
    problem: row.problem,
    tableCount: Number(row.table_count),
  }))
}

/** Tables in the order of schema and name. @param schema only those of this one */
export async function listCatalogTables(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string | undefined,
  page: CatalogPage<{ readonly schema: string; readonly name: string }>,
): Promise<CatalogTableSummary[]> {
  let query = db
    .selectFrom('catalog_table')
    .select(['schema_name', 'name', 'kind', 'row_estimate', 'size_bytes', 'comment'])
    .where('database_id', '=', databaseId)
  const { after } = page
  if (schema !== undefined) query = query.where('schema_name', '=', schema)
  if (after !== undefined) {
    query = query.where((row) => row(row.refTuple('schema_name', 'name'), '>', row.tuple(after.schema, after.name)))
  }
  if (page.filter !== undefined) query = query.where(holds('name', page.filter))
  const rows = await query.orderBy('schema_name').orderBy('name').limit(page.limit).execute()
  return rows.map((row) => ({ ...summaryFromRow(row) }))
}

export async function findCatalogTable(
  db: Kysely<Schema>,
  databaseId: string,
  schema: string,
  name: string,
): Promise<CatalogTableRow | undefined> {
  const row = await db
    .selectFrom('catalog_table')
    .selectAll()
    .where('database_id', '=', databaseId)
    .where('schema_name', '=', schema)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && { ...summaryFromRow(row), definition: row.definition, columns: row.columns, indexes: row.indexes }
}

/** Where a page of finds ended. */
export type CatalogFindPosition = Pick<CatalogFind, 'instance' | 'database' | 'schema' | 'table'>

/**
 * Tables whose name, or that of one of their columns, holds the text, in any case.
 * @param instanceIds only those of these instances; undefined: of the whole workspace
 */
export async function searchCatalog(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  instanceIds: readonly InstanceId[] | undefined,
  text: string,
  page: CatalogPage<CatalogFindPosition>,
): Promise<CatalogFind[]> {
  const needle = text.toLowerCase()
  let query = db
    .selectFrom('catalog_table as t')
    .innerJoin('catalog_database as d', 'd.id', 't.database_id')
    .innerJoin('instance as i', 'i.id', 'd.instance_id')
    .select(['i.name as instance', 'd.name as database', 't.schema_name as schema', 't.name as table', 't.kind'])
    .select(
      sql<string[]>`array(select c->>'name' from jsonb_array_elements(t.columns) c
        where strpos(lower(c->>'name'), ${needle}) > 0 limit 20)`.as('matchedColumns'),
    )
    .where('i.workspace_id', '=', workspaceId)
    .where('i.state', '<>', 'DELETED')
    .where(sql<boolean>`strpos(t.search_text, ${needle}) > 0`)
  const { after } = page
  if (instanceIds !== undefined) {
    if (instanceIds.length === 0) return []
    query = query.where('i.id', 'in', instanceIds)
  }
  if (after !== undefined) {
    query = query.where(
      sql<boolean>`(i.name, d.name, t.schema_name, t.name) > (${after.instance}, ${after.database}, ${after.schema}, ${after.table})`,
    )
  }
  return query
    .orderBy('i.name')
    .orderBy('d.name')
    .orderBy('t.schema_name')
    .orderBy('t.name')
    .limit(page.limit)
    .execute()
}

/** Instances of the workspace on which the principal, or a group that it is in at any depth, has a Postgres role. */
export async function listInstancesWithRole(
  pool: pg.Pool,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
): Promise<InstanceId[]> {
  const { rows } = await pool.query<{ id: InstanceId }>(
    `${withHeldPrincipals} select distinct i.id from instance i join postgres_role_binding b on b.instance_id = i.id
       join held h on h.id = b.principal_id where i.workspace_id = $1`,
    [workspaceId, principalId],
  )
  return rows.map(({ id }) => id)
}

function selectDatabases(db: Kysely<Schema>, instanceId: InstanceId) {
  return db.selectFrom('catalog_database').selectAll().where('instance_id', '=', instanceId)
}

function holds(column: string, text: string) {
  return sql<boolean>`strpos(lower(${sql.ref(column)}), ${text.toLowerCase()}) > 0`
}

type SelectedDatabase = Awaited<ReturnType<ReturnType<typeof selectDatabases>['executeTakeFirstOrThrow']>>

function databaseFromRow(row: SelectedDatabase): CatalogDatabaseRow {
  return {
    id: row.id,
    name: row.name,
    characterSet: row.character_set,
    collation: row.collation_name,
    sizeBytes: numberOrNull(row.size_bytes),
    serviceName: row.service_name,
    syncedAt: row.synced_at,
    stale: row.stale,
    problemCode: row.problem_code,
    problem: row.problem,
  }
}

function summaryFromRow(row: {
  schema_name: string
  name: string
  kind: DescribedTable['kind']
  row_estimate: string | null
  size_bytes: string | null
  comment: string | null
}): CatalogTableSummary {
  return {
    schema: row.schema_name,
    name: row.name,
    kind: row.kind,
    rowEstimate: numberOrNull(row.row_estimate),
    sizeBytes: numberOrNull(row.size_bytes),
    comment: row.comment,
  }
}

/** Written from numbers, so none is larger than a number can be. */
function numberOrNull(text: string | null): number | null {
  return text === null ? null : Number(text)
}
