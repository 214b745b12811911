import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { PosternError } from '../base/errors.ts'
import { applyMigration, type AppliedMigration, checkApplied, lockSchema, makeMigrationTable } from './migrate.ts'
import { type Migration, readMigrations } from './migration-files.ts'
import type { Schema } from './schema.ts'
import type { Store } from './store.ts'
import { waitForEver } from './store-client.ts'
import { isEmptySchema, storeTables, type StoreTable } from './store-tables.ts'

/** What follows the heading of a backup: each table with all its rows. */
export type ImportedPart =
  { readonly kind: 'table'; readonly table: StoreTable } | { readonly kind: 'rows'; readonly rows: readonly string[] }

/**
 * Makes the schema as it was when the backup was made, fills it and brings it up to date, all in one transaction: either the
 * whole deployment is there afterwards or nothing is. A node that starts meanwhile waits for it.
 * @param finish what else belongs into that transaction
 * @throws PosternError RESTORE_TARGET_NOT_EMPTY | CONFIG_INVALID (a newer schema) | BACKUP_FILE_UNUSABLE
 */
export async function importTables(
  store: Store,
  migrations: readonly AppliedMigration[],
  parts: AsyncIterable<ImportedPart>,
  finish: (db: Kysely<Schema>) => Promise<void>,
  known: readonly Migration[] = readMigrations(),
): Promise<void> {
  const client = await store.pool.connect()
  try {
    waitForEver(client)
    await client.query('begin')
    await client.query(`set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`)
    // A node that starts meanwhile waits here and then finds everything, or was first and is found.
    await lockSchema(client)
    if (!(await isEmptySchema(client))) throw notEmpty()
    checkApplied(migrations, known)
    await makeMigrationTable(client)
    await applyFrom(client, known.slice(0, migrations.length), 1)
    await fillTables(client, parts)
    await applyFrom(client, known.slice(migrations.length), migrations.length + 1)
    await finish(kyselyOn(client))
    await client.query('commit')
  } finally {
    // An open transaction ends with its session.
    client.release(true)
  }
}

async function fillTables(client: pg.ClientBase, parts: AsyncIterable<ImportedPart>): Promise<void> {
  const foreignKeys = await dropForeignKeys(client)
  const known = new Map((await storeTables(client)).map((table) => [table.name, table]))
  let insert: string | undefined
  for await (const part of parts) {
    if (part.kind === 'table') insert = insertInto(part.table, known.get(part.table.name))
    else if (insert === undefined) throw new Error('rows came before their table')
    else await client.query(insert, [`[${part.rows.join(',')}]`])
  }
  for (const foreignKey of foreignKeys) await client.query(foreignKey)
}

async function applyFrom(client: pg.ClientBase, migrations: readonly Migration[], first: number): Promise<void> {
  for (const [index, migration] of migrations.entries()) await applyMigration(client, migration, first + index)
}

/** Typed statements in the transaction of a session that was opened by hand. */
function kyselyOn(client: pg.PoolClient): Kysely<Schema> {
  const session = { query: client.query.bind(client), release: () => undefined } as unknown as pg.PoolClient
  return new Kysely<Schema>({
    dialect: new PostgresDialect({ pool: { connect: async () => session, end: async () => undefined } }),
  })
}

/**
 * Rows come table by table, so they may refer to rows that are still to come. The keys are taken away and made again behind
 * the rows, which checks every row.
 * @returns the statements that make them again
 */
async function dropForeignKeys(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ relation: string; name: string; definition: string }>(
    `select conrelid::regclass::text as relation, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
     from pg_catalog.pg_constraint
     where contype = 'f' and connamespace = current_schema()::regnamespace`,
  )
  for (const { relation, name } of rows) await client.query(`alter table ${relation} drop constraint ${name}`)
  return rows.map(({ relation, name, definition }) => `alter table ${relation} add constraint ${name} ${definition}`)
}

function insertInto(table: StoreTable, known: StoreTable | undefined): string {
  const unknown = known === undefined ? [table.name] : table.columns.filter((name) => !known.columns.includes(name))
  if (unknown.length > 0) {
    throw new PosternError(
      'BACKUP_FILE_UNUSABLE',
      `The backup names ${unknown.join(', ')}, which its schema does not have.`,
    )
  }
  const name = pg.escapeIdentifier(table.name)
  const columns = table.columns.map((column) => pg.escapeIdentifier(column)).join(', ')
  // The rows stay text on our side: no number of theirs loses digits.
  return `insert into ${name} (${columns}) overriding system value
    select ${columns} from json_populate_recordset(null::${name}, $1::json)`
}

function notEmpty(): PosternError {
  return new PosternError(
    'RESTORE_TARGET_NOT_EMPTY',
    'The database already has tables; a restore goes into an empty one.',
    {
      hint: 'Make a new database for it: create database postern owner postern.',
    },
  )
}
