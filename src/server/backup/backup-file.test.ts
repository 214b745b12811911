import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../test/support/embedded-postgres.ts'
import { createInstanceFixture } from '../../../test/support/instance-fixture.ts'
import { Secret } from '../../base/secret.ts'
import { checkMasterKey } from '../../keys/master-key-check.ts'
import { importTables } from '../../store/import-tables.ts'
import { readMigrations } from '../../store/migration-files.ts'
import { openStore, type Store } from '../../store/store.ts'
import { openBackup, verifyBackup } from './read-backup.ts'
import { writeBackup } from './write-backup.ts'

let postgres: EmbeddedPostgres
const opened: Store[] = []
let folder: string
let file: string
const signal = new AbortController().signal
const about = { postern: '0.0.0-test', createdAt: new Date('2026-01-02T03:04:05.678Z') }
const nothingMore = async (): Promise<void> => undefined

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  folder = mkdtempSync(join(tmpdir(), 'postern-backup-'))
}, 60_000)
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()))
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  file = join(folder, `${randomUUID()}.backup`)
})

/** A store with a workspace, its keys, principals and some of everything that has no use-case here. */
async function filledStore(): Promise<Store> {
  const store = await postgres.freshStore()
  const { deps, addPrincipal } = await createInstanceFixture(store)
  await checkMasterKey(store.db, deps.masterKey)
  const { id } = await addPrincipal()
  await store.pool.query(
    `with instance as (
       insert into instance (id, workspace_id, name, kind, engine, state, default_database)
       select gen_random_uuid(), id, 'sample', 'managed', 'postgres', 'AVAILABLE', 'db' from workspace returning id),
     managed as (insert into managed_instance select id, gen_random_uuid(), 7, 'running', '/run/x', now() from instance)
     insert into postgres_role_binding (id, instance_id, principal_id, role_name, role_oid, system_identifier, login_key_sealed)
     select gen_random_uuid(), id, $1, $2, 4294967295, '7566222333444555666', '\\x00ff0a' from instance`,
    [id, awkward],
  )
  await store.pool.query(
    `insert into audit_event (id, occurred_at, action, outcome, detail)
     select gen_random_uuid(), timestamptz '2026-01-01' + n * interval '1.000001 s', 'test', 'allowed', jsonb_build_object('n', n, 'text', $1::text)
     from generate_series(1, 1200) n`,
    [awkward],
  )
  await store.pool.query(
    `insert into oauth_artifact (workspace_id, model, id, payload) select id, 'AuthorizationCode', 'used', '{}' from workspace`,
  )
  return store
}

/** What breaks lines, quotes and encodings where it is handled without care. */
const awkward = 'q"u\\o\'te\n\r\t\u2028\u2029 ☃ 😀 \\n'

/** Every row of every table that a backup holds, as the database prints it. */
async function content(store: Store): Promise<Record<string, string[]>> {
  const { rows: tables } = await store.pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
     and relname not in ('oauth_artifact', 'schema_migration') order by 1`,
  )
  const all: Record<string, string[]> = {}
  for (const { name } of tables) {
    const { rows } = await store.pool.query<{ row: string }>(`select t::text as row from ${name} t order by 1`)
    all[name] = rows.map(({ row }) => row)
  }
  return all
}

async function constraints(store: Store): Promise<string[]> {
  const { rows } = await store.pool.query<{ it: string }>(
    `select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as it from pg_constraint
     where connamespace = 'public'::regnamespace order by 1`,
  )
  return rows.map(({ it }) => it)
}

async function emptyStore(): Promise<Store> {
  return open(await postgres.freshDatabase())
}

async function open(url: Secret): Promise<Store> {
  const store = await openStore({ url, poolSize: 2, applicationName: 'test' })
  opened.push(store)
  return store
}

async function restore(into: Store, from = file): Promise<void> {
  const { heading, parts } = await openBackup(from)
  await importTables(into, heading.migrations, parts, nothingMore)
}

test('every row of every table comes back as it was, and so does every constraint', async () => {
  const store = await filledStore()
  const written = await writeBackup(store, file, about, signal)
  expect(written.counts).toMatchObject({
    audit_event: expect.any(Number),
    managed_instance: 1,
    postgres_role_binding: 1,
  })
  expect(written.bytes).toBe(statSync(file).size)
  const restored = await emptyStore()
  await restore(restored)
  const before = await content(store)
  expect(before['audit_event']!.length).toBeGreaterThan(1200)
  expect(await content(restored)).toEqual(before)
  expect(await constraints(restored)).toEqual(await constraints(store))
})

test('what was good for one use, such as an authorization code, does not come back', async () => {
  const store = await filledStore()
  await writeBackup(store, file, about, signal)
  expect(gunzipSync(readFileSync(file)).toString()).not.toContain('AuthorizationCode')
})

test('the file is private, says what it is in its first line, and is never written over another', async () => {
  const store = await filledStore()
  await writeBackup(store, file, about, signal)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const { heading } = await verifyBackup(file)
  expect(heading).toMatchObject({ postern: '0.0.0-test', createdAt: '2026-01-02T03:04:05.678Z' })
  const bytes = readFileSync(file)
  await expect(writeBackup(store, file, about, signal)).rejects.toMatchObject({ code: 'BACKUP_FILE_UNUSABLE' })
  expect(readFileSync(file).equals(bytes)).toBe(true)
})

test('a backup under load is of one instant: never half of a transaction', async () => {
  const store = await filledStore()
  const { rows } = await store.pool.query<{ id: string }>('select id from workspace')
  const load = { writing: true }
  let pairs = 0
  const writer = (async () => {
    for (; load.writing; pairs++) {
      // One half in the first table of the file, one in the last.
      await store.db.transaction().execute(async (db) => {
        const values = { id: randomUUID(), occurred_at: new Date(), action: 'pair', outcome: 'allowed' as const }
        await db.insertInto('audit_event').values(values).execute()
        await db
          .insertInto('workspace_host')
          .values({ host: values.id, workspace_id: rows[0]!.id as never })
          .execute()
      })
    }
  })()
  const files = [1, 2, 3, 4].map((n) => `${file}.${n}`)
  try {
    for (const each of files) await writeBackup(store, each, about, signal)
  } finally {
    load.writing = false
    await writer
  }
  expect(pairs).toBeGreaterThan(4)
  for (const each of files) {
    const text = gunzipSync(readFileSync(each)).toString()
    const hosts = text.split('\n').filter((line) => line.startsWith('{"host":'))
    expect(text.split('"action": "pair"').length - 1).toBe(hosts.length)
  }
}, 30_000)

test('a backup that is interrupted, or cannot be written, leaves no file', async () => {
  const store = await filledStore()
  const aborted = AbortSignal.abort(new Error('stop'))
  await expect(writeBackup(store, file, about, aborted)).rejects.toThrow()
  await expect(writeBackup(store, join(folder, 'missing', 'x'), about, signal)).rejects.toMatchObject({
    code: 'BACKUP_FILE_UNUSABLE',
    message: expect.stringContaining('ENOENT'),
  })
  await expect(writeBackup(await emptyStore(), file, about, signal)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  expect(readdirSync(folder).filter((name) => file.endsWith(name.split('.')[0]!))).toEqual([])
  // The session was given back in a state that the next one can use.
  await writeBackup(store, file, about, signal)
})

test('a file that is cut off, changed or not ours is refused, wherever the damage is', async () => {
  await writeBackup(await filledStore(), file, about, signal)
  const whole = readFileSync(file)
  const text = gunzipSync(whole).toString()
  const damaged = join(folder, 'damaged')
  const versions: (Buffer | string)[] = [
    '',
    'not gzip at all',
    gzipSync(''),
    gzipSync('{"a":1}\n'),
    gzipSync('["postern-backup",2,{}]\n'),
    gzipSync(text.slice(0, text.lastIndexOf('["end"'))),
    gzipSync(text.slice(0, -1)),
    gzipSync(`${text}{}\n`),
    gzipSync(text.replace('"allowed"', '"denied!"')),
    gzipSync(text.replace(/^\{.*\n/m, '')),
    gzipSync(text.replace('0.0.0-test', '0.0.1-test')),
  ]
  for (let length = 1; length < whole.length; length += Math.ceil(whole.length / 50)) {
    versions.push(whole.subarray(0, length))
  }
  for (let at = 20; at < whole.length; at += Math.ceil(whole.length / 50)) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 0x10
    versions.push(changed)
  }
  for (const version of versions) {
    writeFileSync(damaged, version)
    await expect(verifyBackup(damaged)).rejects.toMatchObject({ code: 'BACKUP_FILE_UNUSABLE' })
  }
  expect(versions.length).toBeGreaterThan(100)
  await expect(verifyBackup(join(folder, 'absent'))).rejects.toMatchObject({
    message: expect.stringContaining('ENOENT'),
  })
}, 30_000)

test('a restore that fails half-way leaves the database as empty as it was', async () => {
  await writeBackup(await filledStore(), file, about, signal)
  const text = gunzipSync(readFileSync(file)).toString()
  const damaged = join(folder, 'half')
  const target = await emptyStore()
  // A row that refers to nothing, noticed by the foreign key only; a table nobody knows; an end that is missing.
  for (const version of [
    text.replace(/^\["table","principal".*\n(\{.*\n)/m, (found, row) => found.replace(row, '')),
    text.replace('["table","principal"', '["table","principal; drop table principal"'),
    text.slice(0, text.lastIndexOf('["end"')),
  ]) {
    expect(version).not.toBe(text)
    writeFileSync(damaged, gzipSync(version))
    await expect(restore(target, damaged)).rejects.toThrow()
    const { rows } = await target.pool.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`)
    expect(rows).toEqual([])
  }
  await restore(target)
})

test('a database that has any table is refused', async () => {
  await writeBackup(await filledStore(), file, about, signal)
  const target = await emptyStore()
  await target.pool.query('create table thesis ()')
  await expect(restore(target)).rejects.toMatchObject({ code: 'RESTORE_TARGET_NOT_EMPTY' })
})

test('a backup of an older schema is brought up to date, and one of a newer schema is refused', async () => {
  await writeBackup(await filledStore(), file, about, signal)
  const target = await emptyStore()
  const later = {
    name: '1000_test',
    sql: `alter table principal add column note text not null default 'none'`,
    sha256: 'x',
  }
  const { heading, parts } = await openBackup(file)
  await importTables(target, heading.migrations, parts, nothingMore, [...readMigrations(), later])
  const { rows } = await target.pool.query('select distinct note from principal')
  expect(rows).toEqual([{ note: 'none' }])
  const newer = await openBackup(file)
  await expect(
    importTables(await emptyStore(), [...heading.migrations, later], newer.parts, nothingMore),
  ).rejects.toMatchObject({ message: expect.stringContaining('newer Postern') })
})

test('a store of a newer schema is not backed up: it may hold what this version does not know', async () => {
  const store = await filledStore()
  await store.pool.query(`insert into schema_migration (position, name, sha256) values (1000, '1000_future', 'x')`)
  await expect(writeBackup(store, file, about, signal)).rejects.toMatchObject({
    message: expect.stringContaining('1000_future'),
  })
})

test('a restore needs no superuser: the owner of the database is enough', async () => {
  await writeBackup(await filledStore(), file, about, signal)
  const admin = await postgres.superuser()
  await admin.query(`create role plain login password 'plain'`)
  await admin.query('create database owned owner plain')
  await admin.end()
  const { socketFolder, port } = postgres.server
  const url = new Secret(
    `postgresql://plain:plain@localhost/owned?host=${encodeURIComponent(socketFolder)}&port=${port}`,
  )
  const target = await open(url)
  await restore(target)
  expect(await content(target)).toMatchObject({ managed_instance: [expect.any(String)] })
})
