import type pg from 'pg'
import { PosternError } from '../base/errors.ts'
import { type Migration, readMigrations } from './migration-files.ts'
import type { Store } from './store.ts'
import { waitForEver } from './store-client.ts'

/** A migration as the store remembers it. */
export type AppliedMigration = Pick<Migration, 'name' | 'sha256'>

/** Any constant will do, as long as every version of Postern takes the same lock. */
const LOCK_KEY = 7_067_837_382

/**
 * Brings the store's schema to this version. Any number of nodes may call it at once: one applies, the others wait and find
 * nothing to do. Each file is one transaction, so a crash leaves a whole number of migrations applied.
 * @throws PosternError CONFIG_INVALID when the store was migrated by a newer Postern, or when an applied file was changed since
 */
export async function migrate(store: Store, migrations: readonly Migration[] = readMigrations()): Promise<void> {
  const client = await store.pool.connect()
  try {
    // Waiting for another node and rewriting a large table may both take longer than any ordinary statement.
    waitForEver(client)
    await client.query('set statement_timeout = 0')
    await client.query('select pg_advisory_lock($1)', [LOCK_KEY])
    await applyMissing(client, migrations)
  } finally {
    // Dropping the session gives the lock back and forgets the settings, whatever state it is in.
    client.release(true)
  }
}

async function applyMissing(client: pg.PoolClient, migrations: readonly Migration[]): Promise<void> {
  await makeMigrationTable(client)
  const applied = await appliedMigrations(client)
  checkApplied(applied, migrations)
  for (const [index, migration] of migrations.entries()) {
    if (index < applied.length) continue
    await client.query('begin')
    await applyMigration(client, migration, index + 1)
    await client.query('commit')
  }
}

/** Keeps every migration of the store away until the end of the transaction. */
export async function lockSchema(client: pg.ClientBase): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [LOCK_KEY])
}

/** What `schema_migration` holds: written by {@link applyMigration}, read by {@link appliedMigrations}. */
export async function makeMigrationTable(client: pg.ClientBase): Promise<void> {
  await client.query(`create table if not exists schema_migration (
    position integer primary key,
    name text not null constraint schema_migration_is_applied_once unique,
    sha256 text not null,
    applied_at timestamptz not null default now()
  )`)
  await client.query(
    `comment on table schema_migration is 'Which migrations were applied, in which order, and with which content.'`,
  )
}

/** The migrations that made the schema, oldest first. The table must be there. */
export async function appliedMigrations(client: pg.ClientBase): Promise<AppliedMigration[]> {
  const { rows } = await client.query<AppliedMigration>('select name, sha256 from schema_migration order by position')
  return rows
}

/** Applies one migration in the transaction of the caller. */
export async function applyMigration(client: pg.ClientBase, migration: Migration, position: number): Promise<void> {
  await client.query(migration.sql)
  await client.query('insert into schema_migration (position, name, sha256) values ($1, $2, $3)', [
    position,
    migration.name,
    migration.sha256,
  ])
}

/**
 * Refuses a schema that this version does not know.
 * @throws PosternError CONFIG_INVALID
 */
export function checkApplied(applied: readonly AppliedMigration[], known: readonly Migration[]): void {
  applied.forEach((done, index) => checkOne(done, known[index]))
}

function checkOne(done: AppliedMigration, known: Migration | undefined): void {
  if (known === undefined) {
    throw new PosternError(
      'CONFIG_INVALID',
      `The metadata store was migrated by a newer Postern: it has ${done.name}, which this version does not know.`,
      { hint: 'Start the newer version, or restore a backup that was made with this one.' },
    )
  }
  if (known.name !== done.name || known.sha256 !== done.sha256) {
    throw new PosternError(
      'CONFIG_INVALID',
      `The metadata store has another ${done.name} than this version of Postern, so its schema is not the expected one.`,
      { hint: 'Start the version that made the store. An applied migration is never changed: add a new one instead.' },
    )
  }
}
