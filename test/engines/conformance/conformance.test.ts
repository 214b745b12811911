import { existsSync, readdirSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Secret } from '../../../src/base/secret.ts'
import type { DescribedTable } from '../../../src/engines/catalog-shapes.ts'
import type { Engine, EngineSession, OpenOptions, SessionPurpose } from '../../../src/engines/engine.ts'
import type { QueryEvent } from '../../../src/engines/query-events.ts'
import { loadEngine } from '../../../src/engines/registry.ts'
import { describeWith } from '../../support/requirements.ts'
import { testDialer } from '../../support/test-dialer.ts'
import { STOLEN_FILE, type ConformanceRow, type ConformanceServer, type Login } from './conformance-row.ts'
import { clickhouse } from './clickhouse-row.ts'
import { mariadb } from './mariadb-row.ts'
import { postgres18, postgresWithReplica } from './postgres-rows.ts'

const MEBIBYTE = 1024 * 1024
const dialer = testDialer()

for (const row of [postgres18, postgresWithReplica, mariadb, clickhouse]) {
  describeWith(row.tools, row.title, () => {
    const has = (what: NonNullable<ConformanceRow['lacks']>[number]): boolean => row.lacks?.includes(what) !== true
    /** A row that lacks them has no such test: a skipped one would look like something that is missing. */
    const grantsIt: (title: string, test: () => Promise<void>) => void = has('grants') ? it : () => undefined
    let server: ConformanceServer
    let engine: Engine
    const sessions: EngineSession[] = []
    beforeAll(async () => {
      server = await row.start()
      engine = await loadEngine(server.engine)
    }, 120_000)
    afterEach(async () => {
      await Promise.all(sessions.splice(0).map((session) => session.close()))
    })
    afterAll(() => server?.stop())

    async function open(
      login: Login,
      purpose: SessionPurpose = 'admin',
      more: Partial<OpenOptions> = {},
    ): Promise<EngineSession> {
      engine.checkRoute(login.route)
      const session = await engine.open(login.route, {
        dialer,
        secrets: login.secrets,
        purpose,
        timeoutMs: 10_000,
        ...more,
      })
      sessions.push(session)
      return session
    }

    it('is reached stage by stage, answers a ping and says its version', async () => {
      const stages: string[] = []
      const session = await open(server.owner, 'admin', { onStage: (stage) => stages.push(stage) })
      expect(stages).toEqual(['name', 'tcp', 'tls', 'login'])
      await session.ping()
      expect(session.serverVersion.startsWith(server.version)).toBe(true)
      expect(session.serverVersion).toMatch(/^\d+\.\d+/)
    })

    it('gives up an attempt that nobody waits for any more', async () => {
      const before = AbortSignal.abort()
      await expect(open(server.owner, 'admin', { signal: before })).rejects.toMatchObject({ code: 'CANCELLED' })
      const stop = new AbortController()
      const onStage = (stage: string) => void (stage === 'tls' && stop.abort())
      await expect(open(server.owner, 'admin', { signal: stop.signal, onStage })).rejects.toMatchObject({
        code: 'CANCELLED',
      })
    })

    it('lists databases and leaves out its own', async () => {
      const names = (await (await open(server.owner)).listDatabases()).map(({ name }) => name)
      expect(names).toContain('shop')
      expect(
        names.filter((name) => /^(template\d|information_schema|mysql|performance_schema|sys)$/.test(name)),
      ).toEqual([])
    })

    it('describes tables and views, with columns, indexes and comments', async () => {
      const tables = await describedTables(await open(server.owner), 'shop')
      const orders = tables.find(({ name }) => name === 'orders')
      expect(orders).toMatchObject({ kind: 'table', definition: null })
      expect(orders?.columns.map(({ name, nullable }) => [name, nullable])).toEqual([
        ['id', false],
        ['note', false],
        ['total', true],
      ])
      expect(orders?.columns[1]).toMatchObject({ comment: 'for people' })
      expect(orders?.columns[1]?.defaultValue).toContain('none')
      expect(orders?.columns[2]).toMatchObject({ defaultValue: null })
      expect(orders?.indexes.find(({ primary }) => primary)).toMatchObject({
        columns: ['id'],
        unique: has('unique keys'),
      })
      if (has('table comments')) expect(orders).toMatchObject({ comment: 'what was ordered' })
      if (has('secondary indexes')) {
        expect(orders?.indexes.find(({ name }) => name === 'orders_note')).toMatchObject({ unique: false })
        expect(orders?.indexes.find(({ name }) => name === 'orders_note')?.columns).toHaveLength(2)
      }
      const recent = tables.find(({ name }) => name === 'recent')
      expect(recent).toMatchObject({ kind: 'view', rowEstimate: null })
      expect(recent?.definition?.toLowerCase()).toContain('select')
      expect(recent?.columns.map(({ name }) => name)).toEqual(['id'])
    })

    it('refuses to describe a database that is not there', async () => {
      const session = await open(server.owner)
      await expect(describedTables(session, 'nowhere')).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
    })

    it('shows values as the database prints them, with the names of their types', async () => {
      const { statement, columns, row: values } = server.sql.values
      for (const [login, purpose] of [
        [server.owner, 'admin'],
        [server.reader, 'read_only'],
      ] as const) {
        const events = await collect(await open(login, purpose), statement)
        expect(events).toContainEqual({ type: 'columns', columns })
        expect(events).toContainEqual({ type: 'rows', rows: [values] })
      }
    })

    it('keeps result sets apart, also those of a reader', async () => {
      const events = await collect(await open(server.owner), server.sql.several)
      expect(resultSets(events)).toEqual([
        { columns: ['one'], rows: [['1']] },
        { columns: ['two'], rows: [['2']] },
      ])
      const read = await collect(await open(server.reader, 'read_only'), 'select 1 as one; select 2 as two;')
      expect(resultSets(read)).toHaveLength(2)
    })

    it('streams a million rows and never holds many of them', async () => {
      const session = await open(server.reader, 'read_only')
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      let rows = 0
      let most = 0
      for await (const event of session.query(server.sql.million, { signal: never(), timeoutMs: 55_000 })) {
        if (event.type !== 'rows') continue
        rows += event.rows.length
        expect(event.rows.length).toBeLessThanOrEqual(500)
        if (rows % 10_000 < 200) most = Math.max(most, process.memoryUsage.rss() - before)
      }
      expect(rows).toBe(1_000_000)
      // All of it would be 300 MB of text alone.
      expect(most).toBeLessThan(150 * MEBIBYTE)
    })

    it('holds the database back while nobody reads', async () => {
      const session = await open(server.owner)
      const events = session.query(server.sql.million, { signal: never(), timeoutMs: 30_000 })[Symbol.asyncIterator]()
      await events.next()
      await events.next()
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      await sleep(1_500)
      expect(process.memoryUsage.rss() - before).toBeLessThan(50 * MEBIBYTE)
      await events.return?.(undefined)
      await session.ping()
    })

    it('cancels in the database, and the session goes on', async () => {
      for (const [login, purpose] of [
        [server.owner, 'admin'],
        [server.reader, 'read_only'],
      ] as const) {
        const session = await open(login, purpose)
        const stop = new AbortController()
        setTimeout(() => stop.abort(), 200)
        await expect(collect(session, server.sql.slow, { signal: stop.signal })).rejects.toMatchObject({
          code: 'CANCELLED',
        })
        expect(resultSets(await collect(session, 'select 1 as one'))).toEqual([{ columns: ['one'], rows: [['1']] }])
      }
    })

    it('does not begin what was cancelled before', async () => {
      const session = await open(server.owner)
      await expect(collect(session, 'select 1', { signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'CANCELLED',
      })
    })

    it('ends a statement after its time', async () => {
      const session = await open(server.owner)
      await expect(collect(session, server.sql.slow, { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'STATEMENT_FAILED',
        detail: { timeoutMs: 300 },
      })
      await session.ping()
    })

    it('says in the words of the database what is wrong with a statement, and where', async () => {
      const { statement, code, place } = server.sql.mistake
      const session = await open(server.owner)
      const detail = place === undefined ? {} : { line: place[0], column: place[1] }
      await expect(collect(session, statement)).rejects.toMatchObject({
        code: 'STATEMENT_FAILED',
        detail: { databaseCode: code, ...detail },
      })
      await session.ping()
    })

    it('lets a reader read, even where he may do everything', async () => {
      const session = await open(server.owner, 'read_only')
      for (const statement of server.sql.reads) {
        expect((await collect(session, statement)).at(-1)?.type, statement).toMatch(/complete|notice/)
      }
    })

    it('lets a reader write nothing and leave nothing, even where he may do everything', async () => {
      rmSync(STOLEN_FILE, { force: true })
      const session = await open(server.owner, 'read_only')
      const { writes, brokenWrites } = server.sql
      for (const [statements, code] of [
        [writes, 'STATEMENT_NOT_READ_ONLY'],
        [brokenWrites, 'STATEMENT_FAILED'],
      ] as const) {
        for (const statement of statements) {
          await expect(collect(session, statement), statement).rejects.toMatchObject({ code })
        }
      }
      expect(await server.countOrders()).toBe(1)
      expect(existsSync(STOLEN_FILE)).toBe(false)
      // And the session still is what it was.
      await expect(collect(session, writes[0] ?? '')).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
      expect((await collect(session, 'select * from orders')).some(({ type }) => type === 'rows')).toBe(true)
    })

    grantsIt('names the privileges that an administrator lacks; once they are granted, none', async () => {
      const lacking = await (await open(server.newAdmin)).checkPrivileges()
      expect(lacking.missingPrivileges.length).toBeGreaterThan(0)
      for (const statement of lacking.missingPrivileges) await server.run(statement)
      const report = await (await open(server.newAdmin)).checkPrivileges()
      expect(report).toMatchObject({ missingPrivileges: [], seenAddress: '127.0.0.1' })
      expect(report.user).toContain('new_admin')
    })

    grantsIt('names the privileges that a reader lacks; once they are granted, none, and he can read', async () => {
      const lacking = await (await open(server.newReader, 'read_only')).checkPrivileges()
      expect(lacking.missingPrivileges.length).toBeGreaterThan(0)
      expect(lacking.warnings).toEqual([])
      for (const statement of lacking.missingPrivileges) await server.run(statement)
      const session = await open(server.newReader, 'read_only')
      expect(await session.checkPrivileges()).toMatchObject({ missingPrivileges: [], warnings: [] })
      const shop = { ...server.newReader, route: { ...server.newReader.route, database: 'shop' } }
      const rows = await collect(await open(shop, 'read_only'), 'select note from orders')
      expect(rows).toContainEqual({ type: 'rows', rows: [['first']] })
    })

    it('warns about a reader who can write', async () => {
      expect((await (await open(server.owner, 'read_only')).checkPrivileges()).warnings.length).toBeGreaterThan(0)
      if (!has('grants')) return
      await server.run(server.sql.grantWriting)
      const { warnings } = await (await open(server.newReader, 'read_only')).checkPrivileges()
      expect(warnings).toEqual([expect.stringContaining('can write')])
    })

    grantsIt('gives statements for the form that the server takes', async () => {
      for (const purpose of ['admin', 'read_only'] as const) {
        const statements = engine.grantStatements(purpose, { username: 'new_admin', database: 'shop' })
        expect(statements.length).toBeGreaterThan(0)
        for (const statement of statements) await server.run(statement)
      }
    })

    it('says how far a replica is behind, and that no administrator can work there', async () => {
      const report = await (await open(server.reader, 'read_only')).checkPrivileges()
      if (server.isReplica !== true) {
        expect(report.replicaLagSeconds).toBeNull()
        return
      }
      expect(report.replicaLagSeconds).toBeGreaterThanOrEqual(0)
      const session = await open(server.reader)
      await expect(session.checkPrivileges()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      const attributes = { ...server.reader.route.extraParameters, target_session_attrs: 'primary' }
      const strict = { ...server.reader, route: { ...server.reader.route, extraParameters: attributes } }
      await expect(open(strict)).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' })
    })

    it('tells a wrong password, and a missing database, from all other failures', async () => {
      const wrong = { ...server.owner, secrets: { ...server.owner.secrets, password: new Secret('wrong') } }
      await expect(open(wrong)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
      const nowhere = { ...server.owner, route: { ...server.owner.route, database: 'nowhere' } }
      await expect(open(nowhere)).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
    })

    it(`leaves nothing behind after ${row.opens ?? 1_000} sessions, whatever became of them`, async () => {
      await oneSession(0)
      const before = openDescriptors()
      for (let batch = 0; batch < (row.opens ?? 1_000); batch += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, index) => oneSession(batch + index)))
      }
      const deadlineAt = Date.now() + 10_000
      while ((await server.openSessions()) > 0 && Date.now() < deadlineAt) await sleep(50)
      expect(await server.openSessions()).toBe(0)
      while (openDescriptors() > before + 2 && Date.now() < deadlineAt) await sleep(50)
      expect(openDescriptors()).toBeLessThanOrEqual(before + 2)
    }, 180_000)

    async function oneSession(index: number): Promise<void> {
      const secrets = index % 50 === 7 ? { ...server.reader.secrets, password: new Secret('x') } : server.reader.secrets
      const opening = engine.open(server.reader.route, { dialer, secrets, purpose: 'read_only', timeoutMs: 20_000 })
      if (index % 50 === 7) {
        await expect(opening).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
        return
      }
      const session = await opening
      try {
        if (index % 100 === 1)
          for await (const event of session.query('select 1', { signal: never(), timeoutMs: 5_000 })) {
            if (event.type === 'columns') break
          }
        else if (index % 100 === 2) {
          const signal = AbortSignal.timeout(20)
          await expect(collect(session, server.sql.slow, { signal })).rejects.toMatchObject({ code: 'CANCELLED' })
        } else await session.ping()
      } finally {
        await session.close()
      }
    }
  })
}

function never(): AbortSignal {
  return new AbortController().signal
}

async function collect(
  session: EngineSession,
  statement: string,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<QueryEvent[]> {
  const events: QueryEvent[] = []
  for await (const event of session.query(statement, { signal: never(), timeoutMs: 10_000, ...options })) {
    events.push(event)
  }
  return events
}

function resultSets(events: readonly QueryEvent[]): { columns: string[]; rows: (readonly (string | null)[])[] }[] {
  const sets: { columns: string[]; rows: (readonly (string | null)[])[] }[] = []
  for (const event of events) {
    if (event.type === 'columns') sets.push({ columns: event.columns.map(({ name }) => name), rows: [] })
    else if (event.type === 'rows') sets.at(-1)?.rows.push(...event.rows)
  }
  return sets
}

async function describedTables(session: EngineSession, database: string): Promise<DescribedTable[]> {
  const tables: DescribedTable[] = []
  for await (const schema of session.describe(database, { signal: never() })) {
    if ('problem' in schema) throw schema.problem
    for await (const table of schema.tables) tables.push(table)
  }
  return tables
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}
