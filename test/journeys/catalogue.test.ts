import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { runSql } from '../support/sql-client.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

interface SyncRun {
  readonly id: string
  readonly state: string
  readonly reason: string
  readonly databasesTotal: number | null
  readonly databasesDone: number
  readonly tablesDone: number
  readonly problems: readonly { readonly database: string; readonly code: string }[]
}
type Named = { readonly name: string; readonly [field: string]: unknown }

/** What Postern knows of databases: read from a real Postgres and a real MariaDB, and looked into by the API. */
describeWith(['openssl'], 'the catalogue', () => {
  let authority: TestAuthority
  let upstream: UpstreamPostgres
  let postern: RunningPostern
  let admin: ControlPlane

  beforeAll(async () => {
    authority = createTestAuthority('upstream authority')
    upstream = await startUpstreamPostgres({
      tls: authority.issue(['127.0.0.1']),
      hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
    })
    const superuser = await upstream.superuser()
    await superuser.query(`create role keeper login createrole createdb password 'keeper password 1'`)
    for (const database of ['shop', 'archive']) await superuser.query(`create database ${database} owner keeper`)
    await superuser.end()
    const shop = await upstream.superuser('shop')
    await shop.query(`create schema sales;
      create table sales.orders (id bigint primary key, customer_email text not null, note text default 'none');
      create unique index orders_by_note on sales.orders (note);
      comment on column sales.orders.customer_email is 'where the bill goes';
      create view sales.totals as select count(*) as orders from sales.orders;
      insert into sales.orders select g, g::text, g::text from generate_series(1, 500) g; analyze;
      grant usage on schema sales to keeper; grant select on all tables in schema sales to keeper`)
    await shop.end()
    postern = await startPostern()
    admin = await postern.asAdmin()
    await admin.expect('POST', '/v1/instances', {
      kind: 'external',
      name: 'shop-db',
      adminDataSource: {
        host: '127.0.0.1',
        port: upstream.port,
        database: 'shop',
        username: 'keeper',
        password: 'keeper password 1',
        tlsMode: 'verify-full',
        tlsCa: authority.caPem,
      },
    })
  })
  afterAll(async () => {
    await postern?.stop()
    await upstream?.stop()
    authority?.remove()
  })

  const ended = async (instance: string, id: string): Promise<SyncRun> => {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      const run = await admin.expect<SyncRun>('GET', `/v1/instances/${instance}/syncRuns/${id}`)
      if (!['QUEUED', 'RUNNING'].includes(run.state)) return run
      await sleep(100)
    }
    throw new Error('the reading did not end')
  }
  const sync = async (instance: string, body: object = {}): Promise<SyncRun> => {
    const { id } = await admin.expect<SyncRun>('POST', `/v1/instances/${instance}:sync`, body)
    return ended(instance, id)
  }
  const tables = async (database: string, query = ''): Promise<Named[]> =>
    (await admin.expect<{ tables: Named[] }>('GET', `/v1/instances/shop-db/databases/${database}/tables${query}`))
      .tables

  test('is read when an instance is created, without being asked for', async () => {
    const { syncRuns } = await admin.expect<{ syncRuns: SyncRun[] }>('GET', '/v1/instances/shop-db/syncRuns')
    expect(syncRuns).toMatchObject([{ reason: 'creation' }])
    expect(await ended('shop-db', syncRuns[0]!.id)).toMatchObject({ state: 'DONE' })
    const { databases } = await admin.expect<{ databases: Named[] }>('GET', '/v1/instances/shop-db/databases')
    expect(databases.map(({ name }) => name)).toEqual(expect.arrayContaining(['archive', 'shop']))
  })

  test('shows schemas, tables, views, columns, indexes and estimates of rows', async () => {
    const schemas = await admin.expect<{ schemas: Named[] }>('GET', '/v1/instances/shop-db/databases/shop/schemas')
    expect(schemas.schemas).toContainEqual(expect.objectContaining({ name: 'sales', tableCount: 2 }))
    expect(await tables('shop', '?schema=sales')).toMatchObject([
      { name: 'orders', kind: 'table', rowEstimate: 500 },
      { name: 'totals', kind: 'view' },
    ])
    const table = await admin.expect<{ columns: Named[]; indexes: Named[] }>(
      'GET',
      '/v1/instances/shop-db/databases/shop/tables/orders?schema=sales',
    )
    expect(table.columns).toMatchObject([
      { name: 'id', type: 'bigint', nullable: false },
      { name: 'customer_email', nullable: false, comment: 'where the bill goes' },
      { name: 'note', nullable: true, defaultValue: `'none'::text` },
    ])
    expect(table.indexes).toContainEqual(
      expect.objectContaining({ name: 'orders_pkey', primary: true, columns: ['id'] }),
    )
    expect(table.indexes).toContainEqual(expect.objectContaining({ name: 'orders_by_note', unique: true }))
  })

  test('is searched and paged', async () => {
    const { tables: found } = await admin.expect<{ tables: Record<string, unknown>[] }>(
      'GET',
      '/v1/catalog:search?query=CUSTOMER_em',
    )
    expect(found).toMatchObject([
      { instance: 'shop-db', database: 'shop', table: 'orders', matchedColumns: ['customer_email'] },
    ])
    const first = await admin.expect<{ tables: Named[]; nextPageToken: string }>(
      'GET',
      '/v1/instances/shop-db/databases/shop/tables?schema=sales&pageSize=1',
    )
    expect(first.tables.map(({ name }) => name)).toEqual(['orders'])
    expect(await tables('shop', `?schema=sales&pageSize=1&pageToken=${first.nextPageToken}`)).toMatchObject([
      { name: 'totals' },
    ])
    expect(await tables('shop', '?filter=TOTA')).toMatchObject([{ name: 'totals' }])
  })

  test('follows what changes upstream when it is read again, of chosen databases, with its progress as it runs', async () => {
    const shop = await upstream.superuser('shop')
    await shop.query(
      'drop view sales.totals; create table sales.refunds (id int); grant select on sales.refunds to keeper',
    )
    await shop.end()
    const response = await fetch(`${admin.httpUrl}/v1/instances/shop-db:sync`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${admin.accessToken}`,
        'content-type': 'application/json',
        accept: 'application/x-ndjson',
      },
      body: JSON.stringify({ databases: ['shop'] }),
    })
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as SyncRun)
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.at(-1)).toMatchObject({ state: 'DONE', databasesTotal: 1, databasesDone: 1 })
    expect((await tables('shop', '?schema=sales')).map(({ name }) => name)).toEqual(['orders', 'refunds'])
  })

  test('keeps what it knows of a database that cannot be read, says so, and reads the others', async () => {
    const superuser = await upstream.superuser()
    await superuser.query(
      'alter database archive connection limit 0; revoke connect on database archive from public, keeper',
    )
    const run = await sync('shop-db')
    expect(run).toMatchObject({ state: 'DONE' })
    expect(run.problems.map(({ database }) => database)).toContain('archive')
    const { databases } = await admin.expect<{ databases: Named[] }>(
      'GET',
      '/v1/instances/shop-db/databases?filter=archive',
    )
    expect(databases).toMatchObject([{ name: 'archive', stale: true }])
    await superuser.end()
  })

  test('is read again on a schedule, and nothing of the instance is changed by that', async () => {
    const { etag } = await admin.expect<{ etag: string }>('PATCH', '/v1/instances/shop-db', { syncIntervalSeconds: 60 })
    await sync('shop-db')
    const instance = await admin.expect<{ etag: string; syncIntervalSeconds: number }>('GET', '/v1/instances/shop-db')
    expect(instance).toMatchObject({ etag, syncIntervalSeconds: 60 })
  })

  test('is not for somebody without a Postgres role there', async () => {
    const created = await admin.createServicePrincipal('a member')
    const member = await postern.asServicePrincipal(created.clientId, created.clientSecret)
    expect((await member.send('GET', '/v1/instances/shop-db/databases')).status).toBe(403)
    expect((await member.send('POST', '/v1/instances/shop-db:sync', {})).status).toBe(403)
    expect(await member.expect('GET', '/v1/catalog:search?query=orders')).toMatchObject({ tables: [] })
    await admin.bindPostgresRole('shop-db', created.clientId)
    expect((await member.send('GET', '/v1/instances/shop-db/databases')).status).toBe(200)
  })

  test('of a managed instance is read once it is there', async () => {
    await admin.createManagedInstance('own-postgres')
    const { syncRuns } = await admin.expect<{ syncRuns: SyncRun[] }>('GET', '/v1/instances/own-postgres/syncRuns')
    expect(await ended('own-postgres', syncRuns[0]!.id)).toMatchObject({ state: 'DONE', reason: 'creation' })
  })

  describeWith(['mariadbd'], 'of MariaDB', () => {
    let mariadb: MariadbServer
    beforeAll(async () => {
      mariadb = await startMariadb({ identity: authority.issue(['127.0.0.1', 'localhost']) })
      await mariadb.run(
        'create database depot',
        `create table depot.parts (id int auto_increment primary key, label varchar(40) not null comment 'what it is')`,
        'create view depot.labels as select label from depot.parts',
        `insert into depot.parts (label) values ('bolt'), ('nut')`,
        `create user keeper@'%' identified by 'keeper password 1'`,
        `grant all on *.* to keeper@'%' with grant option`,
        `create user reader@'%' identified by 'reader password 1'`,
        `grant select on depot.* to reader@'%'`,
      )
      const source = (username: string) => ({
        host: '127.0.0.1',
        port: mariadb.port,
        username,
        password: `${username} password 1`,
        tlsMode: 'verify-full',
        tlsCa: authority.caPem,
        database: 'depot',
      })
      await admin.expect('POST', '/v1/instances', {
        kind: 'external',
        name: 'depot-db',
        engine: 'mariadb',
        adminDataSource: source('keeper'),
        readOnlyDataSources: [{ name: 'reader', ...source('reader') }],
      })
    })
    afterAll(() => mariadb?.stop())

    test('has its tables, views and columns', async () => {
      expect(await sync('depot-db')).toMatchObject({ state: 'DONE' })
      const list = await admin.expect<{ tables: Named[] }>('GET', '/v1/instances/depot-db/databases/depot/tables')
      expect(list.tables).toMatchObject([
        { name: 'labels', kind: 'view' },
        { name: 'parts', kind: 'table' },
      ])
      const schema = encodeURIComponent(String(list.tables[0]!['schema']))
      const path = `/v1/instances/depot-db/databases/depot/tables/parts?schema=${schema}`
      const table = await admin.expect<{ columns: Named[] }>('GET', path)
      expect(table.columns).toMatchObject([{ name: 'id' }, { name: 'label', nullable: false, comment: 'what it is' }])
    })

    describe('and SQL on it', () => {
      test('reads on the read-only data source and writes nothing', async () => {
        expect((await runSql(admin, 'depot-db', 'select label from parts order by id')).rows).toEqual([
          ['bolt'],
          ['nut'],
        ])
        for (const statement of [
          `insert into parts (label) values ('x')`,
          `commit; insert into parts (label) values ('x')`,
          'set transaction read write',
          `select * from parts into outfile '/tmp/parts'`,
        ]) {
          const { error, end } = await runSql(admin, 'depot-db', statement)
          expect([statement, end?.['state'], error?.['code']]).toEqual([
            statement,
            'FAILED',
            expect.stringMatching(/STATEMENT_NOT_READ_ONLY|STATEMENT_FAILED/),
          ])
        }
        expect((await runSql(admin, 'depot-db', 'select count(*) from parts')).rows).toEqual([['2']])
      })

      test('is not run as oneself: there are no Postgres roles', async () => {
        expect(await runSql(admin, 'depot-db', 'select 1', { source: 'self' })).toMatchObject({
          problem: { code: 'FEATURE_NOT_SUPPORTED' },
        })
      })

      test('is limited in rows and time, too', async () => {
        const many = 'select a.label from parts a, parts b, parts c, parts d'
        expect((await runSql(admin, 'depot-db', many, { limits: { maxRows: 5 } })).end).toMatchObject({
          state: 'DONE',
          truncated: 'rows',
          rows: 5,
        })
        const slow = await runSql(admin, 'depot-db', 'select sleep(30)', { limits: { timeoutSeconds: 1 } })
        expect(slow.end).toMatchObject({ truncated: 'time' })
      })
    })
  })
})
