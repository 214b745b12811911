import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it, describe } from 'vitest'
import type { DescribedSchema, DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession, SessionPurpose } from '../../src/engines/engine.ts'
import { postgresEngine } from '../../src/engines/postgres/index.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

describe('PostgreSQL', () => {
  let server: UpstreamPostgres
  let root: pg.Client
  const sessions: EngineSession[] = []
  beforeAll(async () => {
    server = await startUpstreamPostgres({ hba: ['host all dba,reader,other 127.0.0.1/32 trust'] })
    root = await server.superuser()
    await root.query(`
      create role dba login createrole createdb; create role reader login;
      grant pg_monitor, pg_read_all_data to dba; grant create on database postgres to dba; grant usage on schema public to reader;
      create table accounts (id int primary key); create table parted (id int) partition by range (id);
      create table parted_1 partition of parted for values from (1) to (9);
      create schema hidden; create table hidden.secret (id int)`)
    await root.query('create database elsewhere')
    const elsewhere = await server.superuser('elsewhere')
    await elsewhere.query('create table only_here (id int)')
    await elsewhere.end()
  }, 60_000)
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()))
  })
  afterAll(async () => {
    await root.end()
    await server.stop()
  })

  async function open(
    username: string,
    purpose: SessionPurpose = 'admin',
    extraParameters: Readonly<Record<string, string>> = {},
  ): Promise<EngineSession> {
    const route = testRoute(server.port, { username, database: 'postgres', extraParameters })
    const session = await postgresEngine.open(route, { dialer: testDialer(), secrets: {}, purpose, timeoutMs: 5_000 })
    sessions.push(session)
    return session
  }

  it('[D1-158] [D1-159] [D1-160] names the semi-superuser of a cloud service, and every role that owns something, as grants to run', async () => {
    await root.query(`
      create role rds_superuser; create role cloudsqlsuperuser; create role "team ""a"""; create role idle_role;
      create role member_of_dba in role dba; create table owned (); alter table owned owner to "team ""a""";
      create table own_table (); alter table own_table owner to member_of_dba; revoke pg_monitor from dba`)
    const { missingPrivileges } = await (await open('dba')).checkPrivileges()
    expect(missingPrivileges).toEqual([
      'GRANT "cloudsqlsuperuser" TO "dba"',
      'GRANT "rds_superuser" TO "dba"',
      'GRANT "pg_monitor" TO "dba"',
      'GRANT "team ""a""" TO "dba"',
    ])
    for (const statement of missingPrivileges) await root.query(statement)
    expect((await (await open('dba')).checkPrivileges()).missingPrivileges).toEqual([])
  })

  it('reports a schema that the user may not use, and goes on with the others', async () => {
    const schemas = await describedSchemas(await open('reader', 'read_only'), 'postgres')
    expect(schemas.map(({ schema }) => schema)).toEqual(['hidden', 'public'])
    expect(schemas[0]).toMatchObject({ problem: { code: 'UPSTREAM_PERMISSION' } })
    expect(schemas[1]?.tables?.map(({ name }) => name)).toContain('accounts')
  })

  it.each(['by_default', 'by_any', 'by_record', 'by_domain', 'by_rest'])(
    'lets no reader call a function that writes as if it were a column: %s',
    async (name) => {
      await root.query(`
        create domain account_like as accounts;
        create function locks() returns int language plpgsql as 'begin perform pg_advisory_lock(4711); return 1; end';
        create function by_default(a accounts, b int default 1) returns int language sql volatile as 'select locks()';
        create function by_any(a anyelement) returns int language sql volatile as 'select locks()';
        create function by_record(a record) returns int language plpgsql volatile as 'begin return locks(); end';
        create function by_domain(a account_like) returns int language sql volatile as 'select locks()';
        create function by_rest(variadic a accounts[]) returns int language sql volatile as 'select locks()';
        insert into accounts values (7); grant select on accounts to reader`)
      try {
        const session = await open('reader', 'read_only')
        const attempt = collect(session, `select a.${name} from accounts a`)
        await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/^STATEMENT_/) })
        const held = await root.query(`select from pg_locks where locktype = 'advisory' and objid = 4711`)
        expect(held.rowCount).toBe(0)
      } finally {
        await root.query(`drop function by_default, by_any, by_record, by_domain, by_rest, locks;
          drop domain account_like; delete from accounts; revoke select on accounts from reader`)
      }
    },
  )

  it('describes a database other than its own, and tables that somebody has locked', async () => {
    const session = await open('dba')
    expect(
      (await describedSchemas(session, 'elsewhere')).flatMap(({ tables }) => tables?.map(({ name }) => name)),
    ).toEqual(['only_here'])
    await root.query('begin; lock table accounts in access exclusive mode')
    try {
      const tables = (await describedSchemas(session, 'postgres')).find(({ schema }) => schema === 'public')?.tables
      expect(tables?.find(({ name }) => name === 'accounts')).toMatchObject({
        sizeBytes: null,
        columns: [{ name: 'id' }],
      })
      expect(tables?.filter(({ name }) => name.startsWith('parted'))).toHaveLength(2)
    } finally {
      await root.query('rollback')
    }
  }, 60_000)

  it('stops describing when it is told to', async () => {
    const stop = new AbortController()
    const schemas = (await open('dba')).describe('postgres', { signal: stop.signal })[Symbol.asyncIterator]()
    await schemas.next()
    stop.abort()
    await expect(schemas.next()).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('runs what takes no transaction, COPY to us, and a transaction over several statements', async () => {
    const session = await open('dba')
    await collect(session, 'create database made_here; drop database made_here')
    await collect(
      session,
      'create schema authorization dba; create table dba.t (id int); insert into dba.t values (1), (2)',
    )
    expect(await collect(session, 'copy dba.t to stdout')).toContainEqual({ type: 'rows', rows: [['1'], ['2']] })
    await expect(collect(session, 'copy dba.t from stdin')).rejects.toMatchObject({ code: 'STATEMENT_FAILED' })
    await collect(session, 'begin; delete from dba.t; rollback')
    expect(await collect(session, 'vacuum dba.t; select count(*) from dba.t')).toContainEqual({
      type: 'rows',
      rows: [['2']],
    })
    await expect(collect(session, 'begin; select 1/0')).rejects.toMatchObject({ detail: { databaseCode: '22012' } })
    // What was left open ends with the next work of ours.
    await session.ping()
    await collect(session, 'drop schema dba cascade')
  })

  it('works as the user that logged in, whatever a statement set', async () => {
    const session = await open('dba')
    await collect(session, `set role pg_monitor; set search_path = nowhere; set standard_conforming_strings = off`)
    expect((await session.checkPrivileges()).user).toBe('dba')
    expect(await collect(session, String.raw`select current_user, 'a\'`)).toContainEqual({
      type: 'rows',
      rows: [['dba', 'a\\']],
    })
  })

  it('keeps to the settings of the data source', async () => {
    const session = await open('dba', 'admin', {
      application_name: 'night shift',
      lock_timeout: '100',
      statement_timeout: '300',
    })
    const shown = await collect(session, 'show application_name; show lock_timeout; show statement_timeout')
    expect(shown.flatMap((event) => (event.type === 'rows' ? event.rows.flat() : []))).toEqual([
      'night shift',
      '100ms',
      '300ms',
    ])
    await expect(collect(session, 'select pg_sleep(20)')).rejects.toMatchObject({ detail: { timeoutMs: 300 } })
  })

  it('tells a session that ended meanwhile from a statement that failed', async () => {
    const session = await open('dba')
    const running = collect(session, 'select pg_sleep(30)')
    const ended = expect(running).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    await sleep(200)
    await root.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dba'`)
    await ended
    await expect(session.ping()).rejects.toMatchObject({ code: expect.stringMatching(/^UPSTREAM_/) })
  })
})

async function describedSchemas(
  session: EngineSession,
  database: string,
): Promise<(Pick<DescribedSchema, 'schema'> & { problem?: unknown; tables?: DescribedTable[] })[]> {
  const schemas = []
  for await (const schema of session.describe(database, { signal: AbortSignal.timeout(30_000) })) {
    if ('problem' in schema) {
      schemas.push({ schema: schema.schema, problem: schema.problem })
      continue
    }
    const tables: DescribedTable[] = []
    for await (const table of schema.tables) tables.push(table)
    schemas.push({ schema: schema.schema, tables })
  }
  return schemas
}

async function collect(session: EngineSession, statement: string): Promise<QueryEvent[]> {
  const events: QueryEvent[] = []
  const options = { signal: new AbortController().signal, timeoutMs: 10_000 }
  for await (const event of session.query(statement, options)) events.push(event)
  return events
}
