import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { newNumericId, newUuid, type WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { translatedConstraints, withStoreErrors } from './constraint-errors.ts'
import { openStore, type Store } from './store.ts'
import { secureStoreUrl } from './store-url.ts'
import { insertWorkspace } from './workspaces.ts'

let postgres: EmbeddedPostgres
let store: Store
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
}, 60_000)
afterAll(() => postgres.stop())

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen')
    await sleep(10)
  }
}

describe('reading', () => {
  test('keeps every digit of a bigint, whatever is set on the shared parsers of pg', async () => {
    const before = pg.types.getTypeParser(pg.types.builtins.INT8)
    pg.types.setTypeParser(pg.types.builtins.INT8, Number)
    try {
      const { rows } = await store.pool.query('select 9007199254740993::bigint as it')
      expect(rows).toEqual([{ it: '9007199254740993' }])
    } finally {
      pg.types.setTypeParser(pg.types.builtins.INT8, before)
    }
  })

  test('a statement that takes too long is cut off by the server', async () => {
    const { rows } = await store.pool.query('show statement_timeout')
    expect(rows).toEqual([{ statement_timeout: '15s' }])
  })
})

test('a session that is lost in the middle of a transaction fails the transaction and nothing else', async () => {
  const lost = store.db.transaction().execute(async (db) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    const superuser = await postgres.superuser()
    await superuser.query('select pg_terminate_backend($1, 5000)', [rows[0]!.pid])
    await superuser.end()
    await sleep(50)
    await sql`select 1`.execute(db)
  })
  await expect(lost).rejects.toThrow()
  expect((await store.pool.query('select 1 as it')).rows).toEqual([{ it: 1 }])
})

describe('LISTEN', () => {
  test('hears notifications of other processes once it resolves, and none after it was stopped', async () => {
    const heard: string[] = []
    const stop = await store.listen('postern_test', (payload) => heard.push(payload))
    await store.notify('postern_test', 'one')
    await until(() => heard.length === 1)
    await stop()
    await store.notify('postern_test', 'two')
    const again: string[] = []
    await store.listen('postern_test', (payload) => again.push(payload))
    await store.notify('postern_test', 'three')
    // Whoever listens anew may still hear what was sent a moment before: the session takes its time to stop listening.
    await until(() => again.includes('three'))
    expect(heard).toEqual(['one'])
  })

  test('reconnects after its session was lost and tells the listener to read again', async () => {
    const heard: string[] = []
    let resyncs = 0
    await store.listen(
      'postern_test',
      (payload) => heard.push(payload),
      () => resyncs++,
    )
    const superuser = await postgres.superuser()
    await superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test listen'`,
    )
    await superuser.end()
    await until(() => resyncs === 1)
    await store.notify('postern_test', 'after')
    await until(() => heard.includes('after'))
  })

  test('takes no channel name that could be SQL', async () => {
    await expect(store.listen('x; drop table workspace', () => undefined)).rejects.toThrow('not a channel name')
  })
})

describe('failures', () => {
  test('a broken constraint is told by its name, in our words', async () => {
    const workspace = () => ({ id: newNumericId<WorkspaceId>(), name: 'twice', gatewayDomain: `${newUuid()}.test` })
    await insertWorkspace(store.db, workspace())
    await expect(withStoreErrors(insertWorkspace(store.db, workspace()))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: 'A workspace of this name exists already.',
    })
  })

  test('every constraint that has a meaning is one of the migrations', async () => {
    const { rows } = await store.pool.query<{ name: string }>(
      `select conname as name from pg_constraint union select relname from pg_class where relkind = 'i'`,
    )
    const names = rows.map((row) => row.name)
    for (const name of translatedConstraints) expect(names).toContain(name)
  })

  test('a store that is away says so, and its URL appears nowhere', async () => {
    const url = new Secret('postgresql://someone:hidden-word@127.0.0.1:1/nowhere')
    const failure = await openStore({ url, poolSize: 1, applicationName: 'test' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(inspect(failure, { depth: 10 })).not.toContain('hidden-word')
  })
})

describe('the URL of an external store', () => {
  const secured = (url: string): string => secureStoreUrl(new Secret(url))

  test('is verified in full unless it is local or names another mode', () => {
    expect(secured('postgres://u:p@db.example.test/x')).toContain('sslmode=verify-full')
    expect(secured('postgres://u:p@db.example.test/x?sslmode=disable')).toContain('sslmode=disable')
    for (const host of ['localhost', '127.0.0.1', '[::1]']) {
      expect(secured(`postgres://u:p@${host}/x`)).toContain('sslmode=disable')
    }
    expect(secured('postgres://u:p@localhost/x?host=%2Frun%2Fit')).toContain('sslmode=disable')
    expect(secured('postgres://u:p@localhost/x?host=db.example.test')).toContain('sslmode=verify-full')
  })

  test('is refused when it is none, without being quoted', () => {
    for (const url of ['hidden-word', 'mysql://u:hidden-word@h/x', 'postgres://u:hidden-word@[/x']) {
      const failure = (() => {
        try {
          return secured(url)
        } catch (error) {
          return error
        }
      })()
      expect(failure).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(inspect(failure, { depth: 10 })).not.toContain('hidden-word')
    }
  })
})
