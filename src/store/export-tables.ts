import pg from 'pg'
import type { Store } from './store.ts'
import { storeTables, type StoreTable } from './store-tables.ts'
import { appliedMigrations, type AppliedMigration, checkApplied } from './migrate.ts'
import { readMigrations } from './migration-files.ts'
import { waitForEver } from './store-client.ts'

/** A part of an export, in the order in which they come: what it is of, then each table with all its rows. */
export type ExportedPart =
  | { readonly kind: 'store'; readonly migrations: readonly AppliedMigration[]; readonly keyCheck: Buffer }
  | { readonly kind: 'table'; readonly table: StoreTable }
  /** JSON objects of the table before, by column, one text each and without line breaks. */
  | { readonly kind: 'rows'; readonly rows: readonly string[] }

/** Rows that are held in memory at a time. */
const BATCH = 500

/**
 * Reads the whole store as it is at one instant, while others go on changing it. Nothing is waited for and nothing is locked.
 * @returns undefined for a store that no Postern has started on
 * @throws PosternError CONFIG_INVALID when the store is of a newer Postern: it may hold what this one does not know
 */
export async function* exportTables(store: Store): AsyncGenerator<ExportedPart> {
  const client = await store.pool.connect()
  try {
    waitForEver(client)
    await client.query('begin isolation level repeatable read read only')
    // Whoever reads the parts may be slow, and a table may be large. Texts must not depend on the settings of a role.
    await client.query(`set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
      set local timezone = 'UTC'; set local bytea_output = 'hex'; set local intervalstyle = 'iso_8601'`)
    const start = await readStart(client)
    if (start === undefined) return
    yield { kind: 'store', ...start }
    for (const table of await storeTables(client)) {
      yield { kind: 'table', table }
      yield* rowsOf(client, table)
    }
  } finally {
    // Whatever state it is in: the transaction only read.
    client.release(true)
  }
}

async function readStart(
  client: pg.ClientBase,
): Promise<{ migrations: readonly AppliedMigration[]; keyCheck: Buffer } | undefined> {
  const { rows: found } = await client.query<{ isThere: boolean }>(
    `select to_regclass('schema_migration') is not null as "isThere"`,
  )
  if (!found[0]!.isThere) return undefined
  const migrations = await appliedMigrations(client)
  checkApplied(migrations, readMigrations())
  const { rows } = await client.query<{ keyCheck: Buffer }>('select key_check as "keyCheck" from deployment')
  return rows[0] && { migrations, keyCheck: rows[0].keyCheck }
}

async function* rowsOf(client: pg.ClientBase, table: StoreTable): AsyncGenerator<ExportedPart> {
  await client.query(
    `declare postern_export no scroll cursor for select to_jsonb(t)::text as row from ${pg.escapeIdentifier(table.name)} t`,
  )
  for (;;) {
    const { rows } = await client.query<{ row: string }>(`fetch ${BATCH} from postern_export`)
    if (rows.length === 0) break
    yield { kind: 'rows', rows: rows.map(({ row }) => row) }
  }
  await client.query('close postern_export')
}
