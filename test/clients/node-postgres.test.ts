import { Client, type ClientConfig, type DatabaseError, Query } from 'pg'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { tenMegabytes } from './ten-megabytes.ts'

describe('node-postgres', () => {
  const gateway = inject('gateway')
  let client: Client
  afterEach(() => client?.end())

  const settings = (over: ClientConfig = {}): ClientConfig => ({
    host: gateway.host,
    port: gateway.port,
    user: gateway.user,
    password: gateway.credential,
    database: gateway.database,
    ssl: { ca: gateway.ca, servername: gateway.serverName },
    ...over,
  })
  const connect = async (over?: ClientConfig): Promise<Client> => {
    client = new Client(settings(over))
    await client.connect()
    return client
  }
  /** The certificate is checked, but no host name names the instance. */
  const withoutName = () => ({ ca: gateway.ca, checkServerIdentity: () => undefined })

  test('logs in by SNI, by endpoint option, by database name and by the credential alone', async () => {
    const ways: ClientConfig[] = [
      {},
      { ssl: withoutName(), options: 'endpoint=sample' },
      { ssl: withoutName(), database: `sample/${gateway.database}` },
      { ssl: withoutName() },
    ]
    for (const way of ways) {
      const { rows } = await (await connect(way)).query('select current_user, current_database()')
      expect(rows).toEqual([{ current_user: gateway.user, current_database: gateway.database }])
      await client.end()
    }
  })

  test('passes parameters, arrays, json and NULL', async () => {
    await connect()
    const { rows } = await client.query('select $1::int + 1 as n, $2::text[] as a, $3::jsonb as j, $4::text as z', [
      41,
      ['x', 'y"'],
      { k: [1] },
      null,
    ])
    expect(rows).toEqual([{ n: 42, a: ['x', 'y"'], j: { k: [1] }, z: null }])
  })

  test('uses a named prepared statement again', async () => {
    await connect()
    for (const n of [1, 2, 3]) {
      const { rows } = await client.query({ name: 'double', text: 'select $1::int * 2 as d', values: [n] })
      expect(rows).toEqual([{ d: 2 * n }])
    }
    const { rows } = await client.query("select name from pg_prepared_statements where name = 'double'")
    expect(rows).toHaveLength(1)
  })

  test('reads an error with its SQLSTATE and goes on; reads a NOTICE', async () => {
    await connect()
    const error = await client.query('select * from no_such_table').then(
      () => undefined,
      (thrown: unknown) => thrown as DatabaseError,
    )
    expect(error).toMatchObject({ code: '42P01', severity: 'ERROR', position: '15' })
    const notices: string[] = []
    client.on('notice', (notice) => notices.push(notice.message ?? ''))
    await client.query("do $$ begin raise notice 'so be it'; end $$")
    expect(notices).toEqual(['so be it'])
  })

  test('cancels a query', async () => {
    await connect()
    const query = new Query('select pg_sleep(20)')
    const failed = new Promise((resolve) => query.on('error', resolve))
    client.query(query)
    await new Promise((resolve) => setTimeout(resolve, 200))
    const canceller = new Client(settings()) as Client & { cancel(client: Client, query: Query): void }
    canceller.cancel(client, query)
    expect(await failed).toMatchObject({ code: '57014' })
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('sends and reads a value of 10 MB', async () => {
    await connect()
    const value = tenMegabytes()
    const { rows } = await client.query('select $1::text as back, length($1) as n', [value])
    expect(rows[0].n).toBe(10_000_000)
    expect(rows[0].back === value).toBe(true)
  })

  test('listens, and is notified by another session after it was idle', async () => {
    const listener = await connect()
    const heard = new Promise((resolve) => listener.once('notification', resolve))
    await listener.query('listen news')
    const other = new Client(settings())
    await other.connect()
    await new Promise((resolve) => setTimeout(resolve, 500))
    await other.query("select pg_notify('news', 'payload')")
    expect(await heard).toMatchObject({ channel: 'news', payload: 'payload' })
    await other.end()
  })
})
