import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { tenMegabytes } from './ten-megabytes.ts'

describe('postgres.js', () => {
  const gateway = inject('gateway')
  let sql: postgres.Sql
  const notices: string[] = []
  afterEach(() => sql?.end())

  const connect = (over: postgres.Options<Record<string, never>> = {}): postgres.Sql => {
    sql = postgres({
      host: gateway.host,
      port: gateway.port,
      user: gateway.user,
      password: gateway.credential,
      database: gateway.database,
      ssl: { ca: gateway.ca, servername: gateway.serverName },
      max: 1,
      onnotice: (notice) => notices.push(notice['message'] ?? ''),
      ...over,
    })
    return sql
  }

  test('logs in by SNI and by database name', async () => {
    const ssl = { ca: gateway.ca, checkServerIdentity: () => undefined }
    for (const way of [{}, { ssl, database: `sample/${gateway.database}` }]) {
      const [row] = await connect(way)`select current_user, current_database()`
      expect(row).toEqual({ current_user: gateway.user, current_database: gateway.database })
      await sql.end()
    }
  })

  test('passes parameters and prepares a statement once', async () => {
    connect()
    const double = (n: number) => sql`select ${n}::int * 2 as d, ${['x', 'y']}::text[] as a`
    for (const n of [1, 2, 3]) expect([...(await double(n))]).toEqual([{ d: 2 * n, a: ['x', 'y'] }])
    const [prepared] =
      await sql`select count(*)::int as n from pg_prepared_statements where statement like 'select $1::int%'`
    expect(prepared).toEqual({ n: 1 })
  })

  test('pipelines: 100 queries sent before the first answer come back in order', async () => {
    connect()
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => sql`select ${i}::int as i`))
    expect(answers.map(([row]) => row?.['i'])).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  test('reads an error with its SQLSTATE, in a transaction that is rolled back; reads a NOTICE', async () => {
    connect()
    const failing = sql.begin(async (tx) => {
      await tx`create temp table gone (n int primary key)`
      await tx`insert into gone values (1), (1)`
    })
    await expect(failing).rejects.toMatchObject({ code: '23505', constraint_name: 'gone_pkey' })
    await expect(sql`select * from gone`).rejects.toMatchObject({ code: '42P01' })
    await sql`do $$ begin raise notice 'so be it'; end $$`
    expect(notices).toContain('so be it')
  })

  test('cancels a query', async () => {
    connect()
    await sql`select 1`
    const sleeping = sql`select pg_sleep(20)`
    setTimeout(() => sleeping.cancel(), 200)
    await expect(sleeping).rejects.toMatchObject({ code: '57014' })
    expect([...(await sql`select 1 as one`)]).toEqual([{ one: 1 }])
  })

  test('copies in and out, and reads by cursor', async () => {
    connect()
    await sql`create temp table bulk (n int, t text)`
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i}\t${'x'.repeat(100)}\n`)
    const into = await sql`copy bulk from stdin`.writable()
    await pipeline(Readable.from(lines), into)
    let bytes = 0
    const out = await sql`copy bulk to stdout`.readable()
    out.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await once(out, 'end')
    expect(bytes).toBe(lines.join('').length)
    let rows = 0
    for await (const batch of sql`select * from bulk`.cursor(1000)) rows += batch.length
    expect(rows).toBe(20_000)
  })

  test('sends and reads a value of 10 MB', async () => {
    const value = tenMegabytes()
    const [row] = await connect()`select ${value}::text as back`
    expect(row?.['back'] === value).toBe(true)
  })

  test('listens and is notified', async () => {
    connect({ max: 2 })
    const { promise, resolve } = Promise.withResolvers<string>()
    await sql.listen('news', resolve)
    await sql.notify('news', 'payload')
    expect(await promise).toBe('payload')
  })
})
