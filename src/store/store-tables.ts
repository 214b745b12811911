import type pg from 'pg'

/** A table of the store, as the database itself describes it. */
export interface StoreTable {
  readonly name: string
  /** In their order; without those that the database computes. */
  readonly columns: readonly string[]
}

/**
 * Tables whose rows a backup leaves out. What made the schema is told by the backup's heading. What the authorization servers
 * keep lives for minutes to hours and is good for one use, as are secrets that reset a password: brought back, a used one would be
 * unused and a session that was ended would be open again.
 */
const LEFT_OUT = ['schema_migration', 'oauth_artifact', 'password_reset']

/** The tables that a backup holds, by name. */
export async function storeTables(client: pg.ClientBase): Promise<StoreTable[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
     from pg_catalog.pg_class c
     join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and c.relname <> all($1)
     group by c.relname order by c.relname`,
    [LEFT_OUT],
  )
  return rows
}

/** Whether anything at all stands in the schema that the store would use. */
export async function isEmptySchema(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ empty: boolean }>(
    `select not exists (
       select from pg_catalog.pg_class c
       where c.relnamespace = current_schema()::regnamespace
         and not exists (
           select from pg_catalog.pg_depend d
           where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
     ) as empty`,
  )
  return rows[0]!.empty
}
