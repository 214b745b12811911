import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { openSql, runSql, type SqlLine } from '../support/sql-client.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

/** People run SQL through the API: on a read-only role of a real Postgres, as its administrator, and as themselves. */
describeWith(['openssl'], 'SQL by the API', () => {
  let authority: TestAuthority
  let upstream: UpstreamPostgres
  let superuser: pg.Client
  let postern: RunningPostern
  let admin: ControlPlane
  let dba: ControlPlane
  let member: ControlPlane
  let memberName: string
  let stranger: ControlPlane

  beforeAll(async () => {
    authority = createTestAuthority('upstream authority')
    upstream = await startUpstreamPostgres({
      tls: authority.issue(['localhost', '127.0.0.1']),
      hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
    })
    superuser = await upstream.superuser()
    await superuser.query(`create role keeper login createrole createdb password 'keeper password 1'`)
    await superuser.query(`create role reader login password 'reader password 1'; grant pg_read_all_data to reader`)
    await superuser.query(
      `create role writer login password 'writer password 1'; grant pg_write_all_data, pg_read_all_data to writer`,
    )
    await superuser.query('create database shop owner keeper')
    const shop = await upstream.superuser('shop')
    await shop.query(`create table item (id int primary key, name text); insert into item values (1, 'anvil'), (2, null);
      grant select on item to keeper; alter table item owner to keeper; grant all on schema public to writer, keeper`)
    await shop.end()
    postern = await startPostern({ flags: ['--sql-max-timeout-seconds', '120', '--sql-default-rows', '500'] })
    admin = await postern.asAdmin()
    const principals = await Promise.all([
      admin.createServicePrincipal('a DBA', 'dba'),
      admin.createServicePrincipal('a member'),
      admin.createServicePrincipal('a stranger'),
    ])
    const [asDba, asMember, asStranger] = await Promise.all(
      principals.map(({ clientId, clientSecret }) => postern.asServicePrincipal(clientId, clientSecret)),
    )
    dba = asDba!
    member = asMember!
    stranger = asStranger!
    memberName = principals[1].clientId
    await admin.expect('POST', '/v1/instances', {
      kind: 'external',
      name: 'shop-db',
      adminDataSource: source('keeper'),
      readOnlyDataSources: [{ name: 'reader', ...source('reader') }],
    })
    await admin.bindPostgresRole('shop-db', memberName)
  })
  afterAll(async () => {
    await superuser?.end()
    await postern?.stop()
    await upstream?.stop()
    authority?.remove()
  })

  const source = (username: string, change: object = {}) => ({
    host: '127.0.0.1',
    port: upstream.port,
    database: 'shop',
    username,
    password: `${username} password 1`,
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
    ...change,
  })
  const running = async (marker: string): Promise<number> => {
    const { rows } = await superuser.query<{ count: string }>(
      `select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like '%' || $1 || '%'`,
      [marker],
    )
    return Number(rows[0]?.count)
  }
  const eventually = async (isSo: () => Promise<boolean>): Promise<void> => {
    for (let attempt = 0; attempt < 400; attempt += 1) {
      if (await isSo()) return
      await sleep(50)
    }
    throw new Error('it did not come to be')
  }
  const audit = async (): Promise<Record<string, unknown>[]> =>
    (await admin.expect<{ auditEvents: Record<string, unknown>[] }>('GET', '/v1/auditEvents?pageSize=1000')).auditEvents

  describe('on a read-only data source', () => {
    test('answers columns with their types, rows as the database prints them, and how it ended', async () => {
      const answer = await runSql(dba, 'shop-db', 'select id, name, 1.50::numeric(5,2) as price from item order by id')
      expect(answer.start).toMatchObject({ source: 'read_only', dataSource: { name: 'reader' }, database: 'shop' })
      expect(answer.lines.find(({ type }) => type === 'columns')).toMatchObject({
        columns: [{ name: 'id' }, { name: 'name' }, { name: 'price' }],
      })
      expect(answer.rows).toEqual([
        ['1', 'anvil', '1.50'],
        ['2', null, '1.50'],
      ])
      expect(answer.end).toMatchObject({ state: 'DONE', truncated: null, rows: 2 })
    })

    test('answers several result sets in their order', async () => {
      const { lines } = await runSql(dba, 'shop-db', `select 1 as a; select 'x' as b, 'y' as c`)
      const sets = lines.filter(({ type }) => type === 'columns').map((line) => (line['columns'] as object[]).length)
      expect(sets).toEqual([1, 2])
      expect(lines.filter(({ type }) => type === 'complete')).toHaveLength(2)
    })

    test('says where an error is, in line and column', async () => {
      const { error, end } = await runSql(dba, 'shop-db', 'select 1,\n  nonsense from item')
      expect(error).toMatchObject({ code: 'STATEMENT_FAILED', databaseCode: '42703', line: 2, column: 3 })
      expect(end).toMatchObject({ state: 'FAILED' })
    })

    test.each([
      ['a write', `insert into item values (3, 'x')`],
      ['a write behind a read', `select 1; insert into item values (3, 'x')`],
      ['a way out of the transaction', `commit; insert into item values (3, 'x')`],
      ['a transaction of its own', `rollback; begin read write; insert into item values (3, 'x'); commit`],
      ['a setting', 'set transaction read write'],
      ['a setting of the session', 'set session characteristics as transaction read write'],
      ['a setting by function', `select set_config('transaction_read_only', 'off', false)`],
      ['a write inside WITH', `with gone as (delete from item returning *) select * from gone`],
      ['a block of code', `do $$ begin insert into item values (3, 'x'); end $$`],
      ['a copy into a table', 'copy item from stdin'],
      ['a change of role', 'set role keeper'],
      ['a sequence', `create temp sequence s`],
    ])('does not let %s through, and nothing is written', async (_what, statement) => {
      const { error, end } = await runSql(dba, 'shop-db', statement)
      expect(error?.['code']).toMatch(/STATEMENT_NOT_READ_ONLY|STATEMENT_FAILED/)
      expect(end).toMatchObject({ state: 'FAILED' })
      expect((await runSql(dba, 'shop-db', 'select count(*) from item')).rows).toEqual([['2']])
    })

    test('of a role that may write is still held to reading', async () => {
      await admin.expect('POST', '/v1/instances', {
        kind: 'external',
        name: 'writable',
        adminDataSource: source('keeper'),
        readOnlyDataSources: [{ name: 'writer', ...source('writer') }],
      })
      const { error } = await runSql(dba, 'writable', `insert into item values (4, 'x')`)
      expect(error?.['code']).toBe('STATEMENT_NOT_READ_ONLY')
      expect((await runSql(dba, 'writable', 'select count(*) from item')).end).toMatchObject({ state: 'DONE' })
    })

    test('is not replaced by the admin data source where there is none, or none that answers', async () => {
      await admin.expect('POST', '/v1/instances', {
        kind: 'external',
        name: 'admin-only',
        adminDataSource: source('keeper'),
      })
      expect(await runSql(dba, 'admin-only', 'select 1')).toMatchObject({
        status: 409,
        problem: { code: 'READ_ONLY_UNAVAILABLE' },
      })
      await superuser.query('alter role writer nologin')
      try {
        await sleep(10)
        const answer = await runSql(dba, 'writable', 'select 1')
        expect(answer.status === 409 || answer.status === 400 || answer.status === 502).toBe(true)
        expect(answer.lines).toEqual([])
      } finally {
        await superuser.query('alter role writer login')
      }
      expect((await runSql(dba, 'admin-only', 'select 1', { source: 'admin' })).end).toMatchObject({ state: 'DONE' })
    })
  })

  describe('has limits that are told', () => {
    test('rows: what was cut is said, and a whole result of just as many rows is whole', async () => {
      const series = (count: number) => `select g from generate_series(1, ${count}) g`
      const cut = await runSql(dba, 'shop-db', series(30_000), { limits: { maxRows: 70 } })
      expect(cut.end).toMatchObject({ state: 'DONE', truncated: 'rows', rows: 70 })
      expect(cut.rows).toHaveLength(70)
      const whole = await runSql(dba, 'shop-db', series(70), { limits: { maxRows: 70 } })
      expect(whole.end).toMatchObject({ state: 'DONE', truncated: null, rows: 70 })
      expect((await runSql(dba, 'shop-db', series(600))).end).toMatchObject({ truncated: 'rows', rows: 500 })
    })

    test('bytes', async () => {
      const statement = `select repeat('x', 10000) from generate_series(1, 400)`
      const { end } = await runSql(dba, 'shop-db', statement, { limits: { maxBytes: 100_000 } })
      expect(end).toMatchObject({ state: 'DONE', truncated: 'bytes' })
      expect(end?.['bytes']).toBeLessThanOrEqual(100_000)
    })

    test('time', async () => {
      const { error, end } = await runSql(dba, 'shop-db', 'select pg_sleep(30)', { limits: { timeoutSeconds: 1 } })
      expect(error).toMatchObject({ code: 'STATEMENT_FAILED' })
      expect(end).toMatchObject({ state: 'FAILED', truncated: 'time' })
    })

    test('more than the deployment gives is refused, not lowered', async () => {
      const answer = await runSql(dba, 'shop-db', 'select 1', { limits: { timeoutSeconds: 121 } })
      expect(answer).toMatchObject({ status: 400, problem: { code: 'INVALID_ARGUMENT' } })
    })

    test('a statement of the admin data source that changes something is done to its end, whatever was cut', async () => {
      const statement = `create table counted as select g from generate_series(1, 3000) g; update counted set g = g returning g`
      const answer = await runSql(dba, 'shop-db', statement, { source: 'admin', limits: { maxRows: 10 } })
      expect(answer.end).toMatchObject({ state: 'DONE', truncated: 'rows', rows: 10 })
      const complete = answer.lines.filter(({ type }) => type === 'complete').at(-1)
      expect(complete).toMatchObject({ rowCount: 3000 })
      expect((await runSql(dba, 'shop-db', 'select count(*) from counted')).rows).toEqual([['3000']])
    })

    test('a client that never reads holds back the database, and is ended by the time limit', async () => {
      const { hostname, port } = new URL(dba.httpUrl)
      const body = JSON.stringify({
        statement: `select repeat('y', 100000), 'unread' from generate_series(1, 100000)`,
        limits: { timeoutSeconds: 4, maxRows: 100_000, maxBytes: 1024 ** 3 },
      })
      const client = createConnection(Number(port), hostname)
      client.pause()
      client.on('error', () => undefined)
      client.write(
        `POST /v1/instances/shop-db/sql:execute HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${dba.accessToken}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
      const isHeldBack = async () => {
        const { rows } = await superuser.query(
          `select wait_event from pg_stat_activity where state = 'active' and query like '%unread%' and pid <> pg_backend_pid()`,
        )
        return rows[0]?.wait_event === 'ClientWrite'
      }
      await eventually(isHeldBack)
      await sleep(1_000)
      expect(await isHeldBack()).toBe(true)
      await eventually(async () => (await running('unread')) === 0)
      await eventually(async () => {
        type History = { sqlExecutions: { state: string; truncated: string | null; bytes: number | null }[] }
        const { sqlExecutions } = await dba.expect<History>('GET', '/v1/sqlExecutions?query=unread')
        expect(sqlExecutions[0]?.bytes ?? 0).toBeLessThan(64 * 1024 * 1024)
        return sqlExecutions[0]?.state !== 'RUNNING'
      })
      client.destroy()
    })

    test('a statement that is silent for longer than connections are kept still answers', async () => {
      const answer = await runSql(dba, 'shop-db', 'select 7, pg_sleep(16)', { limits: { timeoutSeconds: 30 } })
      expect(answer.rows[0]?.[0]).toBe('7')
      expect(answer.lines.some(({ type }) => type === 'progress')).toBe(true)
    })
  })

  describe('is cancelled in the database', () => {
    test('by closing the request', async () => {
      const controller = new AbortController()
      const statement = `select pg_sleep(60), 'closed'`
      const response = await openSql(dba, 'shop-db', { statement }, controller.signal)
      await eventually(async () => (await running('closed')) === 1)
      controller.abort()
      await response.text().catch(() => undefined)
      await eventually(async () => (await running('closed')) === 0)
    })

    test('by its id, and the answer says so', async () => {
      const response = await openSql(dba, 'shop-db', { statement: `select pg_sleep(60), 'by id'` })
      const reader = response.body!.getReader()
      const first = JSON.parse(new TextDecoder().decode((await reader.read()).value).split('\n')[0]!) as SqlLine
      await eventually(async () => (await running('by id')) === 1)
      expect((await stranger.send('POST', `/v1/sqlExecutions/${String(first['executionId'])}:cancel`)).status).toBe(404)
      expect(await running('by id')).toBe(1)
      await dba.expect('POST', `/v1/sqlExecutions/${String(first['executionId'])}:cancel`)
      let rest = ''
      for (;;) {
        const { value, done } = await reader.read()
        if (done) break
        rest += new TextDecoder().decode(value)
      }
      expect(rest).toContain('"state":"CANCELLED"')
      expect(await running('by id')).toBe(0)
    })
  })

  describe('by a Workspace Member', () => {
    test('runs as himself and on no shared data source', async () => {
      for (const options of [
        {},
        { source: 'read_only' },
        { source: 'admin' },
        { dataSourceId: 'reader' },
        { dataSourceId: 'admin' },
      ]) {
        const answer = await runSql(member, 'shop-db', 'select 1', options)
        expect(answer).toMatchObject({ status: 403, problem: { code: 'PERMISSION_DENIED' } })
      }
      const refused = (await audit()).filter(({ action, outcome }) => action === 'sql.execute' && outcome === 'denied')
      expect(refused.length).toBeGreaterThanOrEqual(5)
    })

    test('as himself is the Postgres role of his own, by a login that is recorded like any other', async () => {
      const answer = await runSql(member, 'shop-db', 'select session_user, current_user', { source: 'self' })
      expect(answer.rows).toEqual([[memberName, memberName]])
      expect(answer.start).toMatchObject({ source: 'self', role: memberName, dataSource: null })
      const logins = (await audit()).filter(
        ({ action, actor }) => action === 'login' && (actor as { name: string }).name === memberName,
      )
      expect(logins[0]).toMatchObject({ outcome: 'allowed', detail: { via: 'sql', roleName: memberName } })
    })

    test('as himself may only what his Postgres role may', async () => {
      expect((await runSql(member, 'shop-db', 'select * from item', { source: 'self' })).error).toMatchObject({
        databaseCode: '42501',
      })
      await admin.expect('DELETE', `/v1/instances/shop-db/roles/${memberName}`)
      expect(await runSql(member, 'shop-db', 'select 1', { source: 'self' })).toMatchObject({
        status: 403,
        problem: { code: 'ROLE_NOT_BOUND' },
      })
      await admin.bindPostgresRole('shop-db', memberName, {
        attributes: { createDb: false, createRole: true, bypassRls: false },
      })
    })

    test('[D2-065] [D2-066] as himself, who may create Postgres roles, makes one that logs in with a password', async () => {
      const statement = `create role exampleuser login password 'Example Secret 42'`
      expect((await runSql(member, 'shop-db', statement, { source: 'self' })).end).toMatchObject({ state: 'DONE' })
      const { rows } = await superuser.query(`select rolcanlogin from pg_roles where rolname = 'exampleuser'`)
      expect(rows).toEqual([{ rolcanlogin: true }])
    })

    test('[D2-067] further privileges are granted by SQL, as whoever may grant them', async () => {
      const grant = 'grant select on item to exampleuser'
      expect((await runSql(member, 'shop-db', grant, { source: 'self' })).error).toMatchObject({
        databaseCode: '42501',
      })
      expect((await runSql(dba, 'shop-db', grant, { source: 'admin' })).end).toMatchObject({ state: 'DONE' })
      const { rows } = await runSql(dba, 'shop-db', `select has_table_privilege('exampleuser', 'item', 'select')`)
      expect(rows).toEqual([['t']])
    })

    test('cannot take the Postgres role of another', async () => {
      const answer = await runSql(stranger, 'shop-db', 'select 1', { source: 'self', role: memberName })
      expect(answer.status).toBe(403)
      expect((await runSql(member, 'shop-db', 'select 1', { source: 'self', role: 'keeper' })).problem).toMatchObject({
        code: 'ROLE_NOT_BOUND',
      })
    })

    test('as himself on a managed instance, too', async () => {
      await admin.createManagedInstance('own-postgres')
      await admin.bindPostgresRole('own-postgres', memberName)
      const answer = await runSql(member, 'own-postgres', 'select current_user, 6 * 7', { source: 'self' })
      expect(answer.rows).toEqual([[memberName, '42']])
      const slow = new AbortController()
      const response = await openSql(
        member,
        'own-postgres',
        { statement: 'select pg_sleep(60)', source: 'self' },
        slow.signal,
      )
      expect(response.status).toBe(200)
      slow.abort()
      await response.text().catch(() => undefined)
    })
  })

  describe('leaves a history', () => {
    test('that its owner reads, searches and forgets, and nobody else sees', async () => {
      await runSql(dba, 'shop-db', `select 'needle in the history'`)
      type History = { sqlExecutions: { id: string; statement: string; state: string }[]; nextPageToken?: string }
      const found = await dba.expect<History>('GET', '/v1/sqlExecutions?query=NEEDLE')
      expect(found.sqlExecutions).toMatchObject([{ statement: `select 'needle in the history'`, state: 'DONE' }])
      const { id } = found.sqlExecutions[0]!
      for (const other of [admin, member]) {
        expect((await other.send('GET', `/v1/sqlExecutions/${id}`)).status).toBe(404)
        expect((await other.expect<History>('GET', '/v1/sqlExecutions?query=needle')).sqlExecutions).toEqual([])
        expect((await other.send('DELETE', `/v1/sqlExecutions/${id}`)).status).toBe(404)
      }
      const first = await dba.expect<History>('GET', '/v1/sqlExecutions?pageSize=2')
      const second = await dba.expect<History>('GET', `/v1/sqlExecutions?pageSize=2&pageToken=${first.nextPageToken}`)
      const ids = [...first.sqlExecutions, ...second.sqlExecutions].map((entry) => entry.id)
      expect(new Set(ids).size).toBe(4)
      await dba.expect('DELETE', `/v1/sqlExecutions/${id}`)
      expect((await dba.send('GET', `/v1/sqlExecutions/${id}`)).status).toBe(404)
    })

    test('and audit records without the text, its literals or what the database said of them', async () => {
      const secret = 'hunter2hunter2'
      await runSql(dba, 'shop-db', `select '${secret}'::int`)
      await runSql(dba, 'shop-db', `create role r1 login password '${secret}' nonsense`, { source: 'admin' })
      const records = JSON.stringify(await audit())
      expect(records).toContain('"kind":"CREATE"')
      expect(records).not.toContain(secret)
      expect(postern.logs()).not.toContain(secret)
    })
  })
})
