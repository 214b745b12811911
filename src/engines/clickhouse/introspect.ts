import type {
  DatabaseSummary,
  DescribedColumn,
  DescribedIndex,
  DescribedSchema,
  DescribedTable,
} from '../catalog-shapes.ts'
import type { Cell } from '../query-events.ts'
import { asPosternError, PosternError } from '../../base/errors.ts'
import type { ClickHouseDriver } from './driver.ts'
import { quoteText } from './quote.ts'
import { readExpressions } from './read-expressions.ts'

/** What is read once, at login. */
export interface ServerFacts {
  readonly version: string
  /** `readonly` of the user's profile: 0 everything, 1 reading alone and no setting, 2 reading and settings. */
  readonly readonlyLevel: 0 | 1 | 2
  /** The server ends a reading query whose client went away, where it is asked to. */
  readonly stopsOnClose: boolean
}

const STOPS_ON_CLOSE = 'cancel_http_readonly_queries_on_client_close'
const OWN_DATABASES = ['system', 'information_schema', 'INFORMATION_SCHEMA', '_temporary_and_external_tables']
/** Tables that are described at a time, so that memory stays bounded. */
const PAGE_TABLES = 200

/** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND: it is the first statement, so a wrong login shows here */
export async function readServer(driver: ClickHouseDriver, signal: AbortSignal): Promise<ServerFacts> {
  const names = [quoteText('readonly'), quoteText(STOPS_ON_CLOSE)].join(', ')
  const rows = await driver.readRows(
    `SELECT version(), name, value FROM system.settings WHERE name IN (${names})`,
    {},
    { signal },
  )
  const level = Number(rows.find(([, name]) => name === 'readonly')?.[2])
  return {
    version: rows[0]?.[0] ?? '',
    readonlyLevel: level === 1 || level === 2 ? level : 0,
    stopsOnClose: rows.some(([, name]) => name === STOPS_ON_CLOSE),
  }
}

/** @throws PosternError UPSTREAM_* */
export async function listDatabases(driver: ClickHouseDriver): Promise<readonly DatabaseSummary[]> {
  const own = OWN_DATABASES.map(quoteText).join(', ')
  const rows = await driver.readRows(`SELECT name FROM system.databases WHERE name NOT IN (${own}) ORDER BY name`)
  const sizes = await readSizes(driver)
  return rows.map(([name]) => ({
    name: name ?? '',
    characterSet: null,
    collation: null,
    sizeBytes: sizes === undefined ? null : (sizes.get(name ?? '') ?? 0),
  }))
}

/** Undefined where the user may not see the parts. */
async function readSizes(driver: ClickHouseDriver): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const rows = await driver.readRows(
      'SELECT database, sum(bytes_on_disk) FROM system.parts WHERE active GROUP BY database',
    )
    return new Map(rows.map(([database, bytes]) => [database ?? '', Number(bytes)]))
  } catch (thrown) {
    if (asPosternError(thrown).code === 'UPSTREAM_PERMISSION') return undefined
    throw thrown
  }
}

/** One schema without a name, since ClickHouse has none. */
export async function* describeDatabase(
  driver: ClickHouseDriver,
  database: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema, void> {
  const known = await driver.readRows(
    `SELECT count() FROM system.databases WHERE name = ${quoteText(database)}`,
    {},
    { signal },
  )
  if (known[0]?.[0] !== '1') {
    const text = 'the database of this name does not exist on the server, or the user may not see it'
    yield { schema: '', problem: new PosternError('DATABASE_NOT_FOUND', text) }
    return
  }
  yield { schema: '', tables: describeTables(driver, database, signal) }
}

async function* describeTables(
  driver: ClickHouseDriver,
  database: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedTable, void> {
  const tableFields = await columnsOf(driver, 'tables', signal)
  const columnFields = await columnsOf(driver, 'columns', signal)
  const chosen = ['name', 'engine', ...TABLE_FIELDS.filter((field) => tableFields.has(field))]
  for (let after: string | undefined = undefined; ;) {
    const where: string = after === undefined ? '' : `AND name > ${quoteText(after)}`
    const tables: readonly Record<string, Cell>[] = await readRecords(
      driver,
      chosen,
      `FROM system.tables WHERE database = ${quoteText(database)} ${where} ORDER BY name LIMIT ${PAGE_TABLES}`,
      signal,
    )
    if (tables.length === 0) return
    const names = tables.map((table) => table['name'] ?? '')
    const columns = await readColumns(driver, database, names, columnFields, signal)
    const parts = await readParts(driver, database, names, signal)
    for (const table of tables) yield describeTable(table, columns, parts)
    after = names.at(-1)
    if (tables.length < PAGE_TABLES) return
  }
}

/** Fields of system.tables that only some versions have. */
const TABLE_FIELDS = [
  'create_table_query',
  'as_select',
  'primary_key',
  'sorting_key',
  'total_rows',
  'total_bytes',
  'comment',
]

interface Parts {
  readonly rows: number
  readonly bytes: number
}

function describeTable(
  table: Readonly<Record<string, Cell>>,
  columns: ReadonlyMap<string, readonly DescribedColumn[]>,
  parts: ReadonlyMap<string, Parts> | undefined,
): DescribedTable {
  const name = table['name'] ?? ''
  const kind = kindOf(table['engine'] ?? '')
  const stored = parts?.get(name)
  const isView = kind === 'view' || kind === 'materialized_view'
  return {
    name,
    kind,
    rowEstimate: numberOf(table['total_rows']) ?? stored?.rows ?? null,
    sizeBytes: numberOf(table['total_bytes']) ?? stored?.bytes ?? null,
    comment: table['comment'] || null,
    columns: columns.get(name) ?? [],
    indexes: indexesOf(table),
    definition: isView ? table['as_select'] || table['create_table_query'] || null : null,
  }
}

/** Engines whose rows are somewhere else. */
const FOREIGN_ENGINES =
  /^(MySQL|PostgreSQL|MaterializedPostgreSQL|MongoDB|Redis|SQLite|ODBC|JDBC|Hive|URL|File|S3|S3Queue|AzureBlobStorage|AzureQueue|HDFS|Kafka|RabbitMQ|NATS|Iceberg\w*|DeltaLake|Hudi|Distributed|Dictionary|Merge)$/

function kindOf(engine: string): DescribedTable['kind'] {
  if (engine === 'View' || engine === 'LiveView' || engine === 'WindowView') return 'view'
  if (engine === 'MaterializedView') return 'materialized_view'
  return FOREIGN_ENGINES.test(engine) ? 'foreign_table' : 'table'
}

/** ClickHouse's primary key orders rows and holds no value to being unique. */
function indexesOf(table: Readonly<Record<string, Cell>>): readonly DescribedIndex[] {
  const primary = readExpressions(table['primary_key'] ?? '')
  const sorting = readExpressions(table['sorting_key'] ?? '')
  return [
    ...(primary.length > 0 ? [{ name: 'primary key', columns: primary, unique: false, primary: true }] : []),
    ...(sorting.length > primary.length
      ? [{ name: 'sorting key', columns: sorting, unique: false, primary: false }]
      : []),
  ]
}

async function readColumns(
  driver: ClickHouseDriver,
  database: string,
  tables: readonly string[],
  fields: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly DescribedColumn[]>> {
  // Without the position they come in their order anyway: that table is not stored, but made from each table's own list.
  const order = fields.has('position') ? 'ORDER BY table, position' : ''
  const rows = await readRecords(
    driver,
    ['table', 'name', 'type', 'default_kind', 'default_expression', ...(fields.has('comment') ? ['comment'] : [])],
    `FROM system.columns WHERE database = ${quoteText(database)} AND table IN (${tables.map(quoteText).join(', ')}) ${order}`,
    signal,
  )
  const found = new Map<string, DescribedColumn[]>()
  for (const row of rows) {
    const type = row['type'] ?? ''
    const column: DescribedColumn = {
      name: row['name'] ?? '',
      type,
      nullable: /^(LowCardinality\()?Nullable\(/.test(type),
      defaultValue: row['default_kind'] ? `${row['default_kind']} ${row['default_expression'] ?? ''}` : null,
      comment: row['comment'] || null,
    }
    const table = row['table'] ?? ''
    const list = found.get(table)
    if (list === undefined) found.set(table, [column])
    else list.push(column)
  }
  return found
}

/** Undefined where the user may not see the parts. */
async function readParts(
  driver: ClickHouseDriver,
  database: string,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Parts> | undefined> {
  const statement = `SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts
    WHERE active AND database = ${quoteText(database)} AND table IN (${tables.map(quoteText).join(', ')}) GROUP BY table`
  try {
    const rows = await driver.readRows(statement, {}, { signal })
    return new Map(rows.map(([table, count, bytes]) => [table ?? '', { rows: Number(count), bytes: Number(bytes) }]))
  } catch (thrown) {
    if (asPosternError(thrown).code === 'UPSTREAM_PERMISSION') return undefined
    throw thrown
  }
}

/** What this version of the server knows of its own tables or columns. */
async function columnsOf(
  driver: ClickHouseDriver,
  systemTable: 'tables' | 'columns',
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const rows = await driver.readRows(`DESCRIBE TABLE system.${systemTable}`, {}, { signal })
  return new Set(rows.map(([name]) => name ?? ''))
}

async function readRecords(
  driver: ClickHouseDriver,
  fields: readonly string[],
  from: string,
  signal: AbortSignal,
): Promise<readonly Record<string, Cell>[]> {
  const rows = await driver.readRows(`SELECT ${fields.join(', ')} ${from}`, {}, { signal })
  return rows.map((row) => Object.fromEntries(fields.map((field, index) => [field, row[index] ?? null])))
}

function numberOf(cell: Cell | undefined): number | undefined {
  return cell === null || cell === undefined || cell === '' ? undefined : Number(cell)
}
