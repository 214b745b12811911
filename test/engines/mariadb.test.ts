import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession, SessionPurpose } from '../../src/engines/engine.ts'
import { mariadbEngine, mysqlEngine } from '../../src/engines/mysql/index.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { startMariadb, type MariadbServer } from '../support/mariadb-server.ts'
import { describeWith } from '../support/requirements.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'

describeWith(['mariadbd'], 'MariaDB', () => {
  let server: MariadbServer
  const sessions: EngineSession[] = []
  beforeAll(async () => {
    server = await startMariadb({ settings: ['--secure-file-priv='] })
    await server.run(
      `create database shop; create database other; use shop;
       create table orders (id int primary key, note varchar(20)); insert into orders values (1, 'x');
       create table gone (id int); create view broken as select * from gone; drop table gone;
       create procedure twice() begin select 1 as one; select 2 as two; end;
       create user dba@'%'; grant all on *.* to dba@'%' with grant option;
       create user 'o''reader'@'127.0.0.1'; grant select on shop.* to 'o''reader'@'127.0.0.1';
       grant update (note) on shop.orders to 'o''reader'@'127.0.0.1'`,
    )
  }, 60_000)
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()))
  })
  afterAll(() => server?.stop())

  async function open(
    username: string,
    purpose: SessionPurpose = 'admin',
    engine = mariadbEngine,
  ): Promise<EngineSession> {
    const route = testRoute(server.port, { engine: engine.name, username, database: 'shop' })
    const session = await engine.open(route, { dialer: testDialer(), secrets: {}, purpose, timeoutMs: 5_000 })
    sessions.push(session)
    return session
  }

  it('describes the tables beside one that cannot be read', async () => {
    const tables: DescribedTable[] = []
    for await (const schema of (await open('dba')).describe('shop', { signal: AbortSignal.timeout(10_000) })) {
      if ('tables' in schema) for await (const table of schema.tables) tables.push(table)
    }
    expect(tables.map(({ name }) => name)).toEqual(['broken', 'orders'])
    expect(tables[0]).toMatchObject({ kind: 'view', columns: [] })
    expect(tables[0]?.comment).toContain('invalid table')
    expect(tables[1]?.columns).toHaveLength(2)
  })

  it('runs programs with semicolons of their own, and keeps the result sets of a call apart', async () => {
    const session = await open('dba')
    await collect(session, 'create procedure three() begin select 3 as three; end; call three(); drop procedure three')
    const columns = (await collect(session, 'call twice()')).flatMap((event) =>
      event.type === 'columns' ? event.columns : [],
    )
    expect(columns.map(({ name }) => name)).toEqual(['one', 'two'])
  })

  it('passes warnings on, once', async () => {
    const session = await open('dba')
    const remarks = async (statement: string) =>
      (await collect(session, statement)).filter(({ type }) => type === 'notice')
    expect(await remarks(`select cast('x' as signed)`)).toEqual([
      { type: 'notice', severity: 'Warning', message: expect.stringContaining('Truncated') },
    ])
    expect(await remarks('select 1')).toEqual([])
  })

  it('names accounts with their host, quoted, and every way in which a reader can write', async () => {
    const report = await (await open("o'reader", 'read_only', mysqlEngine)).checkPrivileges()
    expect(report.user).toBe("o'reader@127.0.0.1")
    expect(report.missingPrivileges).toEqual([`GRANT SHOW VIEW ON \`shop\`.* TO 'o''reader'@'127.0.0.1'`])
    expect(report.warnings).toEqual([
      'the server is mariadb, and registered as mysql',
      "the user o'reader@127.0.0.1 can write: UPDATE ON `shop`.`orders`",
    ])
    for (const statement of report.missingPrivileges) await server.run(statement)
    expect((await (await open("o'reader", 'read_only')).checkPrivileges()).missingPrivileges).toEqual([])
  })

  it.each([
    [
      'a comment that is none',
      (to: string) => `select 1 --\u00a0 , 2 into outfile ${to} from (select 1 as \`\u00a0\`) t`,
    ],
    ['a comment that looks like none', (to: string) => `select 1 --\u007f '\n into outfile ${to} -- '`],
    ['a number that ends where a word begins', (to: string) => `select 1e1into outfile ${to}`],
    ['a fraction that ends where a word begins', (to: string) => `select 1.0into outfile ${to}`],
    ['a NULL that ends where a word begins', (to: string) => `select \\Ninto outfile ${to}`],
    ['a number before a lock', () => 'select * from orders where id = 1e0for update'],
  ])('lets no reader write a file or take a lock by %s', async (name, statement) => {
    const path = join(tmpdir(), `postern-outfile-${process.pid}-${name.length}`)
    try {
      const attempt = collect(await open('dba', 'read_only'), statement(`'${path}'`))
      await expect(attempt).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
      expect(existsSync(path)).toBe(false)
    } finally {
      rmSync(path, { force: true })
    }
  })

  it('gives no file to a server that asks for one', async () => {
    await server.run('set global local_infile = 1')
    const session = await open('dba')
    await expect(collect(session, `load data local infile '/etc/passwd' into table orders`)).rejects.toMatchObject({
      code: 'STATEMENT_FAILED',
    })
    expect(await server.run('select count(*) as n from shop.orders')).toEqual([{ n: 1 }])
  })

  it('tells a session that ended meanwhile from a statement that failed', async () => {
    const session = await open('dba')
    const ended = expect(collect(session, 'select sleep(30)')).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    await sleep(200)
    const [running] = await server.run(`select ID as id from information_schema.PROCESSLIST where USER = 'dba'`)
    await server.run(`kill connection ${String(running?.['id'])}`)
    await ended
    await expect(session.ping()).rejects.toMatchObject({ code: expect.stringMatching(/^UPSTREAM_/) })
  })
})

async function collect(session: EngineSession, statement: string): Promise<QueryEvent[]> {
  const events: QueryEvent[] = []
  const options = { signal: new AbortController().signal, timeoutMs: 10_000 }
  for await (const event of session.query(statement, options)) events.push(event)
  return events
}
