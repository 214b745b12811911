import { sql, type Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** A column that holds sealed values (`crypto/seal.ts`): bytes 2 to 9 of each name the master key that wrapped it. */
export interface SealedColumn {
  readonly table: string
  readonly column: string
}

/** A sealed value at the place where it lies now; a change of its row moves it. */
export interface SealedValue {
  readonly place: string
  readonly sealed: Buffer
}

/** Every column of sealed values, found by their names: `…sealed`, and the check value of the deployment. */
export async function sealedColumns(db: Kysely<Schema>): Promise<readonly SealedColumn[]> {
  const { rows } = await sql<SealedColumn>`
    select c.relname::text as table, a.attname::text as column
    from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and a.atttypid = 'bytea'::regtype
      and (a.attname ~ '(^|_)sealed$' or (c.relname = 'deployment' and a.attname = 'key_check'))
    order by 1, 2`.execute(db)
  return rows
}

/** Some values of the column that one of these keys wrapped, at most `limit`. */
export async function valuesWrappedBy(
  db: Kysely<Schema>,
  { table, column }: SealedColumn,
  keyIds: readonly Buffer[],
  limit: number,
): Promise<readonly SealedValue[]> {
  const { rows } = await sql<SealedValue>`
    select ctid::text as place, ${sql.ref(column)} as sealed from ${sql.table(table)}
    where substring(${sql.ref(column)} from 2 for 8) = any(${[...keyIds]}) limit ${limit}`.execute(db)
  return rows
}

/** How many values of the column none of these keys wrapped. */
export async function countOthers(
  db: Kysely<Schema>,
  { table, column }: SealedColumn,
  keyIds: readonly Buffer[],
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ${sql.table(table)}
    where substring(${sql.ref(column)} from 2 for 8) <> all(${[...keyIds]})`.execute(db)
  return rows[0]?.count ?? 0
}

/** Replaces a value unless it changed or moved meanwhile. @returns whether it did */
export async function replaceSealedValue(
  db: Kysely<Schema>,
  { table, column }: SealedColumn,
  { place, sealed }: SealedValue,
  replacement: Buffer,
): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update ${sql.table(table)} set ${sql.ref(column)} = ${replacement}
    where ctid = ${place}::tid and ${sql.ref(column)} = ${sealed}`.execute(db)
  return numAffectedRows === 1n
}
