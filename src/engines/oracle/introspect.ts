import { asPosternError, PosternError } from '../../base/errors.ts'
import type { DescribedColumn, DescribedIndex, DescribedSchema, DescribedTable } from '../catalog-shapes.ts'
import type { Cell } from '../query-events.ts'
import type { OracleConnection } from './connection.ts'
import { DICTIONARY, readNames, readRows, type DictionaryViews } from './dictionary.ts'
import { oracleCode, translateOracleError } from './errors.ts'

/** Their columns and indexes are read together. */
const TABLES_AT_A_TIME = 50

/** Every schema of the container that the connection is in, one by one; tables are read as they are asked for. */
export async function* describeSchemas(
  connection: OracleConnection,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema> {
  const views = await usableViews(connection)
  for (const schema of await readNames(connection, DICTIONARY.schemas)) {
    yield await describeOne(connection, views, schema, schema, signal)
  }
}

/** One schema, which is taken for a database: what is in it has no schema of its own. */
export async function* describeOneSchema(
  connection: OracleConnection,
  owner: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema> {
  const known = await readNames(connection, DICTIONARY.schemas)
  if (!known.includes(owner)) throw new PosternError('DATABASE_NOT_FOUND', `the database has no schema ${owner}`)
  yield await describeOne(connection, await usableViews(connection), owner, '', signal)
}

async function describeOne(
  connection: OracleConnection,
  views: DictionaryViews,
  owner: string,
  schema: string,
  signal: AbortSignal,
): Promise<DescribedSchema> {
  try {
    const tables = await readTableNames(connection, views, owner)
    return { schema, tables: readTables(connection, views, owner, tables, signal) }
  } catch (thrown) {
    const problem = translateOracleError(thrown)
    if (asPosternError(thrown).code === 'CANCELLED' || problem.code === 'UPSTREAM_UNREACHABLE') throw problem
    return { schema, problem }
  }
}

/** The DBA views where the user may read them, since the others hide what it has no right on. */
async function usableViews(connection: OracleConnection): Promise<DictionaryViews> {
  try {
    await readNames(connection, DICTIONARY.materializedViews('dba'), ['SYS'])
    return 'dba'
  } catch (thrown) {
    if (oracleCode(thrown) === 'ORA-00942') return 'all'
    throw translateOracleError(thrown)
  }
}

interface TableName {
  readonly name: string
  readonly kind: DescribedTable['kind']
  readonly rowEstimate: number | null
  readonly comment: string | null
}

async function readTableNames(
  connection: OracleConnection,
  views: DictionaryViews,
  owner: string,
): Promise<readonly TableName[]> {
  const materialized = new Set(await readNames(connection, DICTIONARY.materializedViews(views), [owner]))
  const external = new Set(await readNames(connection, DICTIONARY.externalTables(views), [owner]))
  const found: TableName[] = []
  for await (const [name, rows, comment = null] of readRows(connection, DICTIONARY.tables(views), [owner])) {
    const table = name ?? ''
    const kind = materialized.has(table) ? 'materialized_view' : external.has(table) ? 'foreign_table' : 'table'
    found.push({ name: table, kind, rowEstimate: rows === null || rows === undefined ? null : Number(rows), comment })
  }
  for await (const [name, comment = null] of readRows(connection, DICTIONARY.views(views), [owner])) {
    found.push({ name: name ?? '', kind: 'view', rowEstimate: null, comment })
  }
  // In the order of the database's own comparison of bytes, as BETWEEN sees it.
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function* readTables(
  connection: OracleConnection,
  views: DictionaryViews,
  owner: string,
  tables: readonly TableName[],
  signal: AbortSignal,
): AsyncGenerator<DescribedTable> {
  for (let at = 0; at < tables.length; at += TABLES_AT_A_TIME) {
    if (signal.aborted) throw new PosternError('CANCELLED', 'reading the catalogue was cancelled')
    const some = tables.slice(at, at + TABLES_AT_A_TIME)
    const range = [owner, some[0]?.name ?? '', some.at(-1)?.name ?? '']
    try {
      const columns = await groupColumns(readRows(connection, DICTIONARY.columns(views), range))
      const indexes = await groupIndexes(readRows(connection, DICTIONARY.indexes(views), range))
      const definitions = new Map<string, string | null>()
      if (some.some(({ kind }) => kind === 'view')) {
        for await (const [name, text] of readRows(connection, DICTIONARY.viewText(views), range)) {
          definitions.set(name ?? '', text ?? null)
        }
      }
      for (const table of some) {
        yield {
          ...table,
          sizeBytes: null,
          columns: columns.get(table.name) ?? [],
          indexes: indexes.get(table.name) ?? [],
          definition: definitions.get(table.name) ?? null,
        }
      }
    } catch (thrown) {
      throw translateOracleError(thrown)
    }
  }
}

type Rows = AsyncIterable<readonly Cell[]>

async function groupColumns(rows: Rows): Promise<ReadonlyMap<string, readonly DescribedColumn[]>> {
  const tables = new Map<string, DescribedColumn[]>()
  for await (const row of rows) {
    const [table, name] = row
    const columns = tables.get(table ?? '') ?? []
    tables.set(table ?? '', columns)
    columns.push({
      name: name ?? '',
      type: typeOf(row),
      nullable: row[8] !== 'N',
      defaultValue: row[9]?.trim() ?? null,
      comment: row[10] ?? null,
    })
  }
  return tables
}

function typeOf(row: readonly Cell[]): string {
  const [, , type = null, dataLength, charLength, charUsed, precision, scale] = row
  const name = type ?? ''
  if (/^N?(?:VARCHAR2|CHAR)$/.test(name)) {
    // N types always count characters.
    const unit = name.startsWith('N') ? '' : charUsed === 'C' ? ' CHAR' : ' BYTE'
    return `${name}(${charLength ?? ''}${unit})`
  }
  if (name === 'RAW') return `RAW(${dataLength ?? ''})`
  if (name === 'NUMBER' && precision !== null && precision !== undefined) {
    return scale === null || scale === undefined || scale === '0'
      ? `NUMBER(${precision})`
      : `NUMBER(${precision},${scale})`
  }
  if (name === 'NUMBER' && scale === '0') return 'NUMBER(*,0)'
  return name === 'FLOAT' && precision !== null ? `FLOAT(${precision})` : name
}

async function groupIndexes(rows: Rows): Promise<ReadonlyMap<string, readonly DescribedIndex[]>> {
  const tables = new Map<string, Map<string, DescribedIndex & { columns: string[] }>>()
  for await (const [table, name, column, uniqueness, constraint] of rows) {
    const indexes = tables.get(table ?? '') ?? new Map<string, DescribedIndex & { columns: string[] }>()
    tables.set(table ?? '', indexes)
    const kind = { unique: uniqueness === 'UNIQUE', primary: constraint === 'P' }
    const index = indexes.get(name ?? '') ?? { name: name ?? '', columns: [], ...kind }
    index.columns.push(column ?? '')
    indexes.set(index.name, index)
  }
  return new Map([...tables].map(([table, indexes]) => [table, [...indexes.values()]]))
}
