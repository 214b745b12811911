import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { EngineName } from '../../contract/engines.ts'
import type {
  DescribedColumn,
  DescribedIndex,
  DescribedSchema,
  DescribedTable,
  DescribeOptions,
} from '../catalog-shapes.ts'
import type { OwnQuery } from './own-query.ts'

/** Tables that are read at once: with their columns and indexes they take some hundred KiB. */
const TABLES_PER_PAGE = 100
/** Longest text of a view that is kept; a longer one is cut off by the server already. */
const MAX_DEFINITION_CHARACTERS = 256 * 1024

const KINDS: Readonly<Record<string, DescribedTable['kind']>> = {
  r: 'table',
  p: 'table',
  v: 'view',
  m: 'materialized_view',
  f: 'foreign_table',
}

interface TableRow {
  readonly oid: string
  readonly name: string
  readonly kind: string
  readonly estimate: string | null
  readonly size: string | null
  readonly comment: string | null
  readonly definition: string | null
}

/**
 * Schemas of the session's database with their tables, page by page: never more than one page lies in memory, and no
 * transaction is held open meanwhile. What a table is measured by is left out where it cannot be had (a lock, a file that is
 * gone); a schema that the user may not use comes as a problem.
 */
export async function* describeDatabase(
  own: OwnQuery,
  engine: EngineName,
  { signal }: DescribeOptions,
): AsyncGenerator<DescribedSchema, void> {
  const check = (): void => {
    if (signal.aborted) throw new PosternError('CANCELLED', 'describing the database was cancelled')
  }
  check()
  // Printing an expression takes a lock, for which a page waits this long and then does without.
  if (engine === 'postgres') await own(`set lock_timeout = '1s'`)
  for (const { name, usable, oid } of await readSchemas(own, engine)) {
    check()
    yield usable
      ? { schema: name, tables: readTables(own, engine, oid, check) }
      : { schema: name, problem: notUsable(name) }
  }
}

function notUsable(schema: string): PosternError {
  return new PosternError('UPSTREAM_PERMISSION', `the user of the data source may not use the schema ${schema}`, {
    hint: `Have an administrator of the database run: GRANT USAGE ON SCHEMA ${pg.escapeIdentifier(schema)} TO the user`,
  })
}

function readSchemas(own: OwnQuery, engine: EngineName): Promise<{ name: string; oid: string; usable: boolean }[]> {
  const more = engine === 'cockroachdb' ? `, 'crdb_internal', 'pg_extension'` : ''
  return own(
    `select n.nspname::text as name, n.oid::text as oid, pg_catalog.has_schema_privilege(n.oid, 'USAGE') as usable
     from pg_catalog.pg_namespace n
     where n.nspname not like 'pg!_%' escape '!' and n.nspname not in ('information_schema'${more}) order by n.nspname`,
  )
}

async function* readTables(
  own: OwnQuery,
  engine: EngineName,
  schemaOid: string,
  check: () => void,
): AsyncGenerator<DescribedTable, void> {
  let after = ''
  for (;;) {
    check()
    const page = await readPage(own, engine, schemaOid, after)
    const oids = page.map(({ oid }) => oid)
    const columns = await readColumns(own, oids)
    const indexes = engine === 'redshift' ? new Map<string, DescribedIndex[]>() : await readIndexes(own, engine, oids)
    for (const row of page) {
      yield {
        name: row.name,
        kind: KINDS[row.kind] ?? 'table',
        rowEstimate: row.estimate === null ? null : Number(row.estimate),
        sizeBytes: row.size === null ? null : Number(row.size),
        comment: row.comment,
        columns: columns.get(row.oid) ?? [],
        indexes: indexes.get(row.oid) ?? [],
        definition: row.definition,
      }
    }
    if (page.length < TABLES_PER_PAGE) return
    after = page.at(-1)?.name ?? ''
  }
}

async function readPage(own: OwnQuery, engine: EngineName, schemaOid: string, after: string): Promise<TableRow[]> {
  const definition = `case when c.relkind in ('v', 'm')
    then left(pg_catalog.pg_get_viewdef(c.oid), ${MAX_DEFINITION_CHARACTERS}) end`
  const size = `case when c.relkind in ('r', 'p', 'm') then pg_catalog.pg_total_relation_size(c.oid)::text end`
  // A partitioned table has no file of its own, a view has none at all; -1 means that nobody has counted yet.
  const estimate = `case when c.relkind in ('r', 'p', 'm', 'f') and c.reltuples >= 0 then c.reltuples::pg_catalog.int8::text end`
  const read = (measured: { size: string; definition: string }) =>
    own<TableRow>(
      `select c.oid::text as oid, c.relname::text as name, c.relkind::text as kind, ${estimate} as estimate,
         ${measured.size} as size, ${measured.definition} as definition,
         pg_catalog.obj_description(c.oid, 'pg_class') as comment
       from pg_catalog.pg_class c
       where c.relnamespace = ${Number(schemaOid)} and c.relkind in ('r', 'p', 'v', 'm', 'f')
         and c.relname > ${pg.escapeLiteral(after)}
       order by c.relname limit ${TABLES_PER_PAGE}`,
    )
  const unmeasured = { size: 'null', definition: 'null' }
  if (engine !== 'postgres') return read({ ...unmeasured, definition }).catch(() => read(unmeasured))
  // A relation that somebody holds locked would fail the page; the next one is measured again.
  return read({ size, definition }).catch(() => read(unmeasured))
}

async function readColumns(own: OwnQuery, oids: readonly string[]): Promise<Map<string, DescribedColumn[]>> {
  if (oids.length === 0) return new Map()
  const read = (expression: string) =>
    own<{
      oid: string
      name: string
      type: string
      nullable: boolean
      default: string | null
      comment: string | null
    }>(
      `select a.attrelid::text as oid, a.attname::text as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
         not a.attnotnull as nullable, ${expression} as default,
         pg_catalog.col_description(a.attrelid, a.attnum) as comment
       from pg_catalog.pg_attribute a
         left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid in (${oids.map(Number).join(', ')}) and a.attnum > 0 and not a.attisdropped
       order by a.attrelid, a.attnum`,
    )
  const rows = await read('pg_catalog.pg_get_expr(d.adbin, d.adrelid)').catch(() => read('null'))
  return grouped(rows, ({ name, type, nullable, default: defaultValue, comment }) => ({
    name,
    type,
    nullable,
    defaultValue,
    comment,
  }))
}

async function readIndexes(
  own: OwnQuery,
  engine: EngineName,
  oids: readonly string[],
): Promise<Map<string, DescribedIndex[]>> {
  if (oids.length === 0) return new Map()
  const keyColumns =
    engine === 'postgres'
      ? `coalesce((pg_catalog.to_jsonb(i) ->> 'indnkeyatts')::int4, i.indnatts::int4)`
      : 'i.indnkeyatts::int4'
  // Columns by their place, so that expressions show as well; what is only INCLUDEd (PostgreSQL 11) is no part of the key.
  const read = (column: string) =>
    own<{ oid: string; name: string; unique: boolean; primary: boolean; columns: string[] }>(
      `select i.indrelid::text as oid, c.relname::text as name, i.indisunique as unique, i.indisprimary as primary,
         array(select ${column} from pg_catalog.generate_series(1, ${keyColumns}) k order by k)::text[] as columns
       from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
       where i.indrelid in (${oids.map(Number).join(', ')}) order by i.indrelid, c.relname`,
    )
  const byName = `coalesce((select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = i.indrelid and a.attnum = i.indkey[k - 1]), '(expression)')`
  const rows = await read('pg_catalog.pg_get_indexdef(i.indexrelid, k, true)').catch(() => read(byName))
  return grouped(rows, ({ name, unique, primary, columns }) => ({ name, unique, primary, columns }))
}

function grouped<R extends { readonly oid: string }, T>(rows: readonly R[], shape: (row: R) => T): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(row.oid)
    if (group === undefined) groups.set(row.oid, [shape(row)])
    else group.push(shape(row))
  }
  return groups
}
