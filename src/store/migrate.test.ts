import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { migrate } from './migrate.ts'
import { readMigrations } from './migration-files.ts'
import { openStore } from './store.ts'

let postgres: EmbeddedPostgres
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())

test('eight nodes that start at once migrate the store exactly once', async () => {
  const url = await postgres.freshDatabase()
  const nodes = await Promise.all(
    Array.from({ length: 8 }, () => openStore({ url, poolSize: 1, applicationName: 'test' })),
  )
  await Promise.all(nodes.map((store) => migrate(store)))
  const { rows } = await nodes[0]!.pool.query('select name from schema_migration order by position')
  expect(rows).toEqual(readMigrations().map(({ name }) => ({ name })))
  await Promise.all(nodes.map((store) => store.close()))
})

test('a store of a newer version is refused with a sentence that names the unknown migration', async () => {
  const store = await postgres.freshStore()
  await store.pool.query(`insert into schema_migration (position, name, sha256) values (1000, '1000_future', 'x')`)
  await expect(migrate(store)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('1000_future'),
  })
})

test('an applied migration whose file was changed since is refused', async () => {
  const store = await postgres.freshStore()
  const [first] = readMigrations()
  await expect(migrate(store, [{ ...first!, sha256: 'changed' }])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('a migration that fails leaves nothing of itself behind, and the next attempt applies it', async () => {
  const store = await postgres.freshStore()
  const applied = readMigrations()
  const broken = { name: '1000_test', sql: 'create table left_behind (); select 1/0', sha256: 'a' }
  await expect(migrate(store, [...applied, broken])).rejects.toThrow()
  const { rows } = await store.pool.query(`select to_regclass('left_behind') as it`)
  expect(rows).toEqual([{ it: null }])
  await migrate(store, [...applied, { ...broken, sql: 'create table left_behind ()' }])
})
