import { afterAll, beforeAll, expect, it } from 'vitest'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession, SessionPurpose } from '../../src/engines/engine.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { loadEngine } from '../../src/engines/registry.ts'
import { describeWith } from '../support/requirements.ts'
import { startSpannerEmulator, type SpannerEmulator } from '../support/spanner-emulator.ts'
import { testDialer } from '../support/test-dialer.ts'

const INSTANCE = 'projects/test-project/instances/first'

describeWith(['spanner-emulator'], 'Spanner engine against the emulator of Google', () => {
  let emulator: SpannerEmulator

  beforeAll(async () => {
    emulator = await startSpannerEmulator()
    await emulator.createInstance('test-project', 'first')
    await emulator.createDatabase(INSTANCE, {
      createStatement: 'CREATE DATABASE `shop`',
      extraStatements: [
        `CREATE TABLE item (id INT64 NOT NULL, name STRING(100) DEFAULT ('none'), price NUMERIC, tags ARRAY<STRING(MAX)>)
         PRIMARY KEY (id)`,
        'CREATE UNIQUE INDEX item_by_name ON item (name DESC) STORING (price)',
        'CREATE VIEW cheap SQL SECURITY INVOKER AS SELECT item.id FROM item WHERE item.price < 1',
      ],
    })
    await emulator.createDatabase(INSTANCE, {
      createStatement: 'CREATE DATABASE "pgshop"',
      databaseDialect: 'POSTGRESQL',
    })
  }, 60_000)

  afterAll(async () => emulator?.stop())

  const route = (database = ''): DataSourceRoute => ({
    ...PLAIN_ROUTE,
    engine: 'spanner',
    host: '127.0.0.1',
    port: emulator.port,
    database,
    username: '',
    loginMethod: 'ambient',
    tlsMode: 'disable',
    fields: { projectId: 'test-project', instanceId: 'first' },
  })

  async function withSession<T>(
    database: string,
    purpose: SessionPurpose,
    work: (session: EngineSession) => Promise<T>,
    stages?: string[],
  ): Promise<T> {
    const engine = await loadEngine('spanner')
    const onStage = (stage: string) => void stages?.push(stage)
    const options = { dialer: testDialer(), secrets: {}, purpose, timeoutMs: 10_000, onStage }
    const session = await engine.open(route(database), options)
    try {
      return await work(session)
    } finally {
      await session.close()
    }
  }

  const run = (session: EngineSession, sql: string, signal = new AbortController().signal) =>
    Array.fromAsync(session.query(sql, { signal, timeoutMs: 20_000 }))
  const rowsOf = (events: readonly QueryEvent[]) => events.flatMap((event) => (event.type === 'rows' ? event.rows : []))

  it('passes name, tcp and login, and lists every database over all pages', async () => {
    const stages: string[] = []
    const databases = await withSession('', 'admin', (session) => session.listDatabases(), stages)
    expect(stages).toEqual(['name', 'tcp', 'login'])
    expect(databases.map(({ name }) => name).toSorted()).toEqual(['pgshop', 'shop'])
  })

  it('describes tables, views, columns and indexes', async () => {
    const tables = await withSession('shop', 'admin', async (session) => {
      const found: DescribedTable[] = []
      for await (const schema of session.describe('shop', { signal: new AbortController().signal })) {
        expect(schema.schema).toBe('')
        if ('tables' in schema) for await (const table of schema.tables) found.push(table)
      }
      return found
    })
    expect(tables.map(({ name, kind }) => [name, kind])).toEqual([
      ['cheap', 'view'],
      ['item', 'table'],
    ])
    expect(tables[0]?.definition).toContain('item.price < 1')
    expect(tables[1]).toMatchObject({
      columns: [
        { name: 'id', type: 'INT64', nullable: false, defaultValue: null },
        { name: 'name', type: 'STRING(100)', nullable: true, defaultValue: "'none'" },
        { name: 'price', type: 'NUMERIC', nullable: true },
        { name: 'tags', type: 'ARRAY<STRING(MAX)>', nullable: true },
      ],
      indexes: [
        { name: 'PRIMARY_KEY', columns: ['id'], unique: true, primary: true },
        { name: 'item_by_name', columns: ['name'], unique: true, primary: false },
      ],
    })
  })

  it('runs changes, queries and schema changes, several in one text', async () => {
    const events = await withSession('shop', 'admin', (session) =>
      run(
        session,
        `INSERT INTO item (id, name, price, tags) VALUES (9007199254740993, 'a;b', 1.10, ['x', NULL]) THEN RETURN id;
         SELECT id, name, price, tags, b'hi' AS bytes, CAST('NaN' AS FLOAT64) AS nan, TRUE AS yes FROM item;
         CREATE TABLE extra (id INT64) PRIMARY KEY (id); -- done
         DROP TABLE extra; DELETE FROM item WHERE TRUE`,
      ),
    )
    expect(rowsOf(events)).toEqual([
      ['9007199254740993'],
      ['9007199254740993', 'a;b', '1.1', '["x",null]', 'aGk=', 'NaN', 'true'],
    ])
    expect(events.filter(({ type }) => type === 'complete')).toEqual([
      { type: 'complete', command: 'INSERT', rowCount: 1 },
      { type: 'complete', command: 'SELECT', rowCount: 1 },
      { type: 'complete', command: 'CREATE TABLE', rowCount: null },
      { type: 'complete', command: 'DROP TABLE', rowCount: null },
      { type: 'complete', command: 'DELETE', rowCount: 1 },
    ])
  })

  it('streams a long result in whole rows', async () => {
    const sql = `SELECT n, REPEAT('x', 1000) AS text FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS n ORDER BY n`
    const rows = rowsOf(await withSession('shop', 'read_only', (session) => run(session, sql)))
    expect(rows).toHaveLength(5000)
    expect(rows.every(([n, text], index) => n === String(index + 1) && text?.length === 1000)).toBe(true)
  })

  it.each([
    ['INSERT INTO item (id) VALUES (1)', 'STATEMENT_NOT_READ_ONLY'],
    ['DROP TABLE item', 'STATEMENT_NOT_READ_ONLY'],
    // Not known for what it is by its first word: Spanner's own read-only transaction stops it.
    ['@{PDML_MAX_PARALLELISM=1} INSERT INTO item (id) VALUES (1)', 'STATEMENT_NOT_READ_ONLY'],
    ['(INSERT INTO item (id) VALUES (1))', 'STATEMENT_FAILED'],
  ])('keeps a read-only session from running %s', async (sql, code) => {
    await withSession('shop', 'read_only', async (session) => {
      await expect(run(session, sql)).rejects.toMatchObject({ code })
      expect(rowsOf(await run(session, 'SELECT COUNT(*) FROM item'))).toEqual([['0']])
    })
  })

  it('points at the place of an error in the whole text', async () => {
    await withSession('shop', 'admin', async (session) => {
      await expect(run(session, 'SELECT 1;\nSELECT\n  nothing FROM item')).rejects.toMatchObject({
        code: 'STATEMENT_FAILED',
        detail: { databaseCode: 'INVALID_ARGUMENT', line: 3, column: 3 },
      })
    })
  })

  it('knows the PostgreSQL dialect', async () => {
    await withSession('pgshop', 'admin', async (session) => {
      await run(session, 'CREATE TABLE "Order" (id bigint PRIMARY KEY, note varchar(20) DEFAULT $$a;b$$)')
      await run(session, `INSERT INTO "Order" (id) VALUES (1)`)
      expect(rowsOf(await run(session, 'SELECT id, note, 1.50::numeric AS n FROM "Order"'))).toEqual([
        ['1', 'a;b', '1.50'],
      ])
      const names: string[] = []
      for await (const schema of session.describe('pgshop', { signal: new AbortController().signal })) {
        if ('tables' in schema) {
          for await (const { name, columns, indexes } of schema.tables) {
            names.push(`${schema.schema}.${name} ${columns[0]?.type} ${indexes[0]?.primary}`)
          }
        }
      }
      expect(names).toEqual(['public.Order bigint true'])
    })
  })

  it('ends with CANCELLED when the caller gives up, and works on', async () => {
    await withSession('shop', 'admin', async (session) => {
      const stop = new AbortController()
      const sql = `SELECT n, REPEAT('x', 1000) AS text FROM UNNEST(GENERATE_ARRAY(1, 16000)) AS n`
      const reading = (async () => {
        for await (const event of session.query(sql, { signal: stop.signal, timeoutMs: 20_000 })) {
          if (event.type === 'rows') stop.abort()
        }
      })()
      await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(rowsOf(await run(session, 'SELECT 1'))).toEqual([['1']])
    })
  })

  it('says that it cannot tell the permissions where the server has none', async () => {
    const report = await withSession('shop', 'admin', (session) => session.checkPrivileges())
    expect(report).toMatchObject({ systemIdentifier: INSTANCE, missingPrivileges: [] })
    expect(report.warnings).toHaveLength(1)
  })
})
