import mysql from 'mysql2'
import { PosternError } from '../../base/errors.ts'
import type {
  DescribedColumn,
  DescribedIndex,
  DescribedSchema,
  DescribedTable,
  DescribeOptions,
} from '../catalog-shapes.ts'
import type { Flavor } from './flavor.ts'
import type { OwnQuery } from './own-query.ts'

/** Tables that are read at once: the server opens each of them. */
const TABLES_PER_PAGE = 50

interface Server {
  readonly own: OwnQuery
  readonly flavor: Flavor
}

/** Tables of one database, page by page. There are no schemas in between, so there is one, named ''. */
export async function* describeDatabase(
  own: OwnQuery,
  flavor: Flavor,
  database: string,
  { signal }: DescribeOptions,
): AsyncGenerator<DescribedSchema, void> {
  const check = (): void => {
    if (signal.aborted) throw new PosternError('CANCELLED', 'describing the database was cancelled')
  }
  check()
  const [found] = await own<{ name: string }>(
    `select SCHEMA_NAME as name from information_schema.SCHEMATA where SCHEMA_NAME = ${mysql.escape(database)}`,
  )
  if (found === undefined) {
    throw new PosternError('DATABASE_NOT_FOUND', `there is no database ${database}, or the user may not see it`)
  }
  yield { schema: '', tables: readTables({ own, flavor }, found.name, check) }
}

async function* readTables(server: Server, database: string, check: () => void): AsyncGenerator<DescribedTable, void> {
  const schema = mysql.escape(database)
  const names = await server.own<{ name: string }>(
    `select TABLE_NAME as name from information_schema.TABLES where TABLE_SCHEMA = ${schema} order by TABLE_NAME`,
  )
  for (let at = 0; at < names.length; at += TABLES_PER_PAGE) {
    check()
    yield* await readPage(
      server,
      schema,
      names.slice(at, at + TABLES_PER_PAGE).map(({ name }) => name),
    )
  }
}

/** A page with a table that cannot be read is read table by table; that one then has a name and nothing else. */
async function readPage(server: Server, schema: string, names: readonly string[]): Promise<DescribedTable[]> {
  try {
    return await readWhole(server, schema, names)
  } catch (thrown) {
    if (
      !(thrown instanceof PosternError) ||
      thrown.code.startsWith('UPSTREAM_UN') ||
      thrown.code === 'UPSTREAM_TIMED_OUT'
    ) {
      throw thrown
    }
    const [name] = names
    if (names.length === 1 && name !== undefined) return [unreadable(name)]
    const tables: DescribedTable[] = []
    for (const single of names) tables.push(...(await readPage(server, schema, [single])))
    return tables
  }
}

function unreadable(name: string): DescribedTable {
  const nothing = { rowEstimate: null, sizeBytes: null, comment: null, definition: null }
  return { name, kind: 'table', ...nothing, columns: [], indexes: [] }
}

async function readWhole(server: Server, schema: string, names: readonly string[]): Promise<DescribedTable[]> {
  const { own } = server
  const where = `TABLE_SCHEMA = ${schema} and TABLE_NAME in (${names.map((name) => mysql.escape(name)).join(', ')})`
  const tables = await own<{
    name: string
    type: string
    estimate: string | null
    size: string | null
    comment: string
  }>(
    `select TABLE_NAME as name, TABLE_TYPE as type, TABLE_ROWS as estimate, DATA_LENGTH + INDEX_LENGTH as size,
       TABLE_COMMENT as comment
     from information_schema.TABLES where ${where} and TABLE_TYPE <> 'SEQUENCE' order by TABLE_NAME`,
  )
  const columns = await readColumns(server, where)
  const indexes = await readIndexes(own, where)
  const definitions = await readDefinitions(own, where)
  return tables.map(({ name, type, estimate, size, comment }) => {
    const isView = type.endsWith('VIEW')
    return {
      name,
      kind: isView ? 'view' : 'table',
      rowEstimate: isView || estimate === null ? null : Number(estimate),
      sizeBytes: isView || size === null ? null : Number(size),
      // The comment of a view is the word VIEW, or what is wrong with it.
      comment: comment === '' || comment === 'VIEW' ? null : comment,
      columns: columns.get(name) ?? [],
      indexes: indexes.get(name) ?? [],
      definition: definitions.get(name)?.[0] || null,
    }
  })
}

async function readColumns({ own, flavor }: Server, where: string): Promise<Map<string, DescribedColumn[]>> {
  const rows = await own<{
    tableName: string
    name: string
    type: string
    nullable: string
    defaultValue: string | null
    comment: string
  }>(
    `select TABLE_NAME as tableName, COLUMN_NAME as name, COLUMN_TYPE as type, IS_NULLABLE as nullable,
       COLUMN_DEFAULT as defaultValue, COLUMN_COMMENT as comment
     from information_schema.COLUMNS where ${where} order by TABLE_NAME, ORDINAL_POSITION`,
  )
  return grouped(rows, ({ name, type, nullable, defaultValue, comment }) => ({
    name,
    type,
    nullable: nullable === 'YES',
    // MariaDB prints an expression, and NULL is one; elsewhere it would be a text.
    defaultValue: flavor === 'mariadb' && defaultValue === 'NULL' ? null : defaultValue,
    comment: comment === '' ? null : comment,
  }))
}

async function readIndexes(own: OwnQuery, where: string): Promise<Map<string, DescribedIndex[]>> {
  const rows = await own<{ tableName: string; name: string; nonUnique: string; column: string | null }>(
    `select TABLE_NAME as tableName, INDEX_NAME as name, NON_UNIQUE as nonUnique, COLUMN_NAME as \`column\`
     from information_schema.STATISTICS where ${where} order by TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
  )
  const indexes = new Map<string, DescribedIndex[]>()
  for (const [table, parts] of grouped(rows, (row) => row)) {
    const names = [...new Set(parts.map(({ name }) => name))]
    indexes.set(
      table,
      names.map((name) => ({
        name,
        // MySQL has no column where the key is an expression.
        columns: parts.filter((part) => part.name === name).map(({ column }) => column ?? '(expression)'),
        unique: parts.some((part) => part.name === name && part.nonUnique === '0'),
        primary: name === 'PRIMARY',
      })),
    )
  }
  return indexes
}

/** Empty for whoever may not read it (SHOW VIEW). */
async function readDefinitions(own: OwnQuery, where: string): Promise<Map<string, string[]>> {
  const rows = await own<{ tableName: string; definition: string | null }>(
    `select TABLE_NAME as tableName, VIEW_DEFINITION as definition from information_schema.VIEWS where ${where}`,
  )
  return grouped(rows, ({ definition }) => definition ?? '')
}

function grouped<R extends { readonly tableName: string }, T>(
  rows: readonly R[],
  shape: (row: R) => T,
): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(row.tableName)
    if (group === undefined) groups.set(row.tableName, [shape(row)])
    else group.push(shape(row))
  }
  return groups
}
