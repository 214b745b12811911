import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { openStore } from './store.ts'

let postgres: EmbeddedPostgres
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())

const open = async () =>
  openStore({ url: await postgres.freshDatabase(), poolSize: 1, applicationName: 'test', statementLimitMs: 300 })

test('a session whose server froze is cut, and the next statement gets another session', async () => {
  const store = await open()
  const { rows } = await store.pool.query('select pg_backend_pid() as pid')
  process.kill(rows[0].pid, 'SIGSTOP')
  try {
    await expect(store.pool.query('select 1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(sql`select 1 as one`.execute(store.db)).resolves.toMatchObject({ rows: [{ one: 1 }] })
  } finally {
    process.kill(rows[0].pid, 'SIGCONT')
    await store.close()
  }
})

test('a slow statement is ended by the server, and the session lives on', async () => {
  const store = await open()
  const session = await store.pool.connect()
  await expect(session.query('select pg_sleep(5)')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  session.release()
  await store.close()
})

test('a store that takes no changes is unavailable, not an internal error', async () => {
  const store = await open()
  const session = await store.pool.connect()
  await session.query('set default_transaction_read_only = on')
  await expect(session.query('create table new ()')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  session.release()
  await store.close()
})

test('whoever finds no free session hears that the store is unavailable', async () => {
  const store = await open()
  const session = await store.pool.connect()
  await expect(store.pool.query('select 1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  session.release()
  await store.close()
})
