import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { EngineSession, OpenOptions, SessionPurpose } from '../../src/engines/engine.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { loadEngine } from '../../src/engines/registry.ts'
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts'
import { describeWith } from '../support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { testDialer } from '../support/test-dialer.ts'

describeWith(['clickhouse-server', 'openssl'], 'ClickHouse, as Debian has it', () => {
  let authority: TestAuthority
  let server: ClickHouseServer
  const sessions: EngineSession[] = []
  beforeAll(async () => {
    authority = createTestAuthority('ClickHouse authority')
    server = await startClickHouse(authority.issue(['localhost', '127.0.0.1']))
    await server.run(
      'CREATE TABLE shown.events (id UInt64, at DateTime, note Nullable(String), tags Array(String)) ENGINE = MergeTree() PARTITION BY tuple() ORDER BY (id, at)',
    )
    await server.run(
      "INSERT INTO shown.events VALUES (1, '2026-01-02 03:04:05', NULL, ['a', 'b\\'c']), (18446744073709551615, '2026-01-02 03:04:05', 'tab\\there', [])",
    )
    await server.run('CREATE VIEW shown.recent AS SELECT id FROM shown.events')
  }, 90_000)
  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.close()))
    await server?.stop()
    authority?.remove()
  })

  function overHttps(user: { username: string }, change: Partial<DataSourceRoute> = {}): DataSourceRoute {
    return {
      ...PLAIN_ROUTE,
      engine: 'clickhouse',
      host: 'localhost',
      port: server.httpsPort ?? 0,
      database: 'default',
      username: user.username,
      loginMethod: 'password',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      ...change,
    }
  }

  async function open(
    user: { username: string; password: string },
    change: Partial<DataSourceRoute> = {},
    purpose: SessionPurpose = 'admin',
    more: Partial<OpenOptions> = {},
  ): Promise<EngineSession> {
    const engine = await loadEngine('clickhouse')
    const session = await engine.open(overHttps(user, change), {
      dialer: testDialer(),
      secrets: user.password === '' ? {} : { password: new Secret(user.password) },
      purpose,
      timeoutMs: 10_000,
      ...more,
    })
    sessions.push(session)
    return session
  }

  const plain = (): Partial<DataSourceRoute> => ({ tlsMode: 'disable', tlsCa: null, port: server.httpPort })

  async function run(
    session: EngineSession,
    statement: string,
    { signal = new AbortController().signal, timeoutMs = 20_000 } = {},
  ): Promise<QueryEvent[]> {
    const events: QueryEvent[] = []
    for await (const event of session.query(statement, { signal, timeoutMs })) events.push(event)
    return events
  }

  it('opens over HTTPS and HTTP, tells its version, its stages and who it is', async () => {
    const stages: string[] = []
    const session = await open(server.admin, {}, 'admin', { onStage: (stage) => stages.push(stage) })
    expect(session.serverVersion).toMatch(/^\d+\.\d+/)
    expect(stages).toEqual(['name', 'tcp', 'tls', 'login'])
    await session.ping()
    const report = await session.checkPrivileges()
    expect(report).toMatchObject({ user: 'admin', missingPrivileges: [], warnings: [], seenAddress: '127.0.0.1' })
    await (await open(server.open, plain())).ping()
  })

  it('sends a password over verified TLS alone', async () => {
    await expect(open(server.admin, plain())).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    await expect(open(server.admin, { tlsMode: 'require', tlsCa: null })).rejects.toMatchObject({
      code: 'UPSTREAM_AUTH_UNSAFE',
    })
  })

  it.each<[string, () => Partial<DataSourceRoute>, string, RegExp]>([
    ['HTTPS on plain HTTP', () => ({ port: server.httpPort }), 'UPSTREAM_TLS_REFUSED', /does not speak TLS/],
    ['unknown database', () => ({ database: 'nowhere' }), 'DATABASE_NOT_FOUND', /does not exist/],
  ])('explains a %s', async (_, change, code, text) => {
    const attempt = open(server.open, change())
    await expect(attempt).rejects.toMatchObject({
      code: expect.stringMatching(code),
      message: expect.stringMatching(text),
    })
  })

  it.each([
    ['wrong password', { username: 'admin', password: 'wrong' }],
    ['unknown user', { username: 'nobody', password: 'x' }],
    ['missing password', { username: 'admin', password: '' }],
  ])('reports a %s as a refused login', async (_, user) => {
    await expect(open(user)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
  })

  it('lists databases without its own, and describes tables with their columns', async () => {
    const session = await open(server.admin)
    const databases = await session.listDatabases()
    expect(databases.map(({ name }) => name)).toEqual(['default', 'shown'])
    expect(databases[1]?.sizeBytes).toBeGreaterThan(0)
    const schemas = []
    for await (const schema of session.describe('shown', { signal: new AbortController().signal })) {
      if ('problem' in schema) throw schema.problem
      const tables = []
      for await (const table of schema.tables) tables.push(table)
      schemas.push({ schema: schema.schema, tables })
    }
    expect(schemas).toMatchObject([
      {
        schema: '',
        tables: [
          {
            name: 'events',
            kind: 'table',
            rowEstimate: 2,
            columns: [
              { name: 'id', type: 'UInt64', nullable: false },
              { name: 'at', type: 'DateTime' },
              { name: 'note', type: 'Nullable(String)', nullable: true },
              { name: 'tags', type: 'Array(String)' },
            ],
            indexes: [{ columns: ['id', 'at'], primary: true, unique: false }],
          },
          { name: 'recent', kind: 'view', definition: expect.stringContaining('SELECT') },
        ],
      },
    ])
    for await (const schema of session.describe('nowhere', { signal: new AbortController().signal })) {
      expect(schema).toMatchObject({ problem: { code: 'DATABASE_NOT_FOUND' } })
    }
  })

  it('shows a user the databases that he may see', async () => {
    const session = await open(server.narrow, { database: 'shown' })
    expect((await session.listDatabases()).map(({ name }) => name)).toEqual(['shown'])
  })

  it('shows values as the database prints them, with their types', async () => {
    const session = await open(server.admin)
    expect(
      await run(session, 'SELECT id, note, tags, NULL AS n FROM shown.events ORDER BY id; SELECT 1.5 AS f -- ;'),
    ).toEqual([
      {
        type: 'columns',
        columns: [
          { name: 'id', type: 'UInt64' },
          { name: 'note', type: 'Nullable(String)' },
          { name: 'tags', type: 'Array(String)' },
          { name: 'n', type: 'Nullable(Nothing)' },
        ],
      },
      {
        type: 'rows',
        rows: [
          ['1', null, "['a','b\\'c']", null],
          ['18446744073709551615', 'tab\there', '[]', null],
        ],
      },
      { type: 'complete', command: null, rowCount: 2 },
      { type: 'columns', columns: [{ name: 'f', type: 'Float64' }] },
      { type: 'rows', rows: [['1.5']] },
      { type: 'complete', command: null, rowCount: 1 },
    ])
    expect(await run(session, "SELECT unhex('FF41') AS b")).toContainEqual({ type: 'rows', rows: [['\\xFFA']] })
  })

  it('changes what an admin asks for, data within the statement included', async () => {
    const session = await open(server.admin)
    await run(session, 'CREATE TABLE shown.made (a Int32, b String) ENGINE = Memory')
    await run(session, 'INSERT INTO shown.made FORMAT TabSeparated\n1\tone; two\n2\tthree')
    expect(await run(session, 'SELECT count() AS c FROM shown.made')).toContainEqual({ type: 'rows', rows: [['2']] })
    await run(session, 'DROP TABLE shown.made')
  })

  it.each([
    ['SELECT 1;\n  SELEC 2', { line: 2, column: 3, databaseCode: '62' }],
    ["SELECT 'ü', 1 FRM x y", { line: 1, databaseCode: '62' }],
    ['SELECT * FROM nowhere.t', { databaseCode: '81' }],
    ['SELECT nosuch(1)', { databaseCode: '46' }],
    ['SELECT throwIf(number = 3000000) FROM system.numbers LIMIT 4000000', { databaseCode: '395' }],
  ])('says what is wrong with %j, and where', async (statement, detail) => {
    const session = await open(server.admin)
    await expect(run(session, statement)).rejects.toMatchObject({ code: 'STATEMENT_FAILED', detail })
    await session.ping()
  })

  it.each(['SET max_threads = 1', 'USE shown', 'SELECT 1 FORMAT JSON', "SELECT 1 INTO OUTFILE '/tmp/x'"])(
    'refuses %j, which would have no effect',
    async (statement) => {
      const session = await open(server.admin)
      await expect(run(session, statement)).rejects.toMatchObject({ code: 'STATEMENT_FAILED' })
    },
  )

  it.each([
    ['held by us', () => server.admin, /can write/],
    ['held by the server', () => server.reader, undefined],
  ] as const)('holds a read-only session to reading, %s', async (_, user, warning) => {
    const session = await open(user(), {}, 'read_only')
    expect(await run(session, 'SELECT count() AS c FROM shown.events')).toContainEqual({ type: 'rows', rows: [['2']] })
    for (const statement of [
      'CREATE TABLE shown.x (a Int8) ENGINE = Memory',
      'INSERT INTO shown.events (id) VALUES (3)',
      'DROP TABLE shown.events',
      'ALTER TABLE shown.events DROP COLUMN note',
      'TRUNCATE TABLE shown.events',
    ]) {
      await expect(run(session, statement)).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
    }
    await expect(
      run(session, 'INSERT INTO shown.events SELECT 3, now(), NULL, [] SETTINGS readonly = 0'),
    ).rejects.toThrow()
    expect(await server.run('SELECT count() FROM shown.events')).toBe('2\n')
    const { warnings } = await session.checkPrivileges()
    expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)])
  })

  it.each([
    ['a name with an escape', (url: string) => `SELECT * FROM \`ur\\x6c\`(${url}, 'TSV', 'x String')`],
    [
      'a name whose quote is escaped',
      (url: string) => `SELECT 1 AS "a\\" , ", x FROM url(${url}, 'TSV', 'x String') -- "`,
    ],
    ['a name in typographic quotes', (url: string) => `SELECT * FROM \u201curl\u201d(${url}, 'TSV', 'x String')`],
    [
      'quotes that only newer servers know',
      (url: string) => `SELECT \u2018'\u2019, x FROM url(${url}, 'TSV', 'x String') -- '`,
    ],
    ['a blank of no width', (url: string) => `SELECT * FROM url\u200b(${url}, 'TSV', 'x String')`],
    ['a comment of another kind', (url: string) => `SELECT 1, x // '\n FROM url(${url}, 'TSV', 'x String') -- '`],
    [
      'a quote with a number for its tag',
      (url: string) => `SELECT $1$ ' $1$, x FROM url(${url}, 'TSV', 'x String') -- '`,
    ],
    ['a name in another column', (url: string) => `SELECT "url" FROM url(${url}, 'TSV', 'x String')`],
  ])('lets no reader reach beyond the server by %s', async (_, statement) => {
    let calls = 0
    const outside = createServer((_request, answer) => {
      calls += 1
      answer.end('stolen\n')
    })
    await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
    try {
      const session = await open(server.admin, {}, 'read_only')
      const { port } = outside.address() as AddressInfo
      const attempt = run(session, statement(`'http://127.0.0.1:${port}/'`))
      await expect(attempt).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
      expect(calls).toBe(0)
    } finally {
      outside.close()
    }
  })

  const running = async (): Promise<string> =>
    server.run(
      "SELECT count() FROM system.processes WHERE query LIKE '%numbers_to_cancel%' AND query NOT LIKE '%processes%'",
    )

  it('cancels in the database, and ends with CANCELLED', async () => {
    const session = await open(server.admin)
    const stop = new AbortController()
    const endless = run(
      session,
      'SELECT count() AS numbers_to_cancel FROM system.numbers WHERE NOT ignore(number)',
      stop,
    )
    setTimeout(() => stop.abort(), 300)
    await expect(endless).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect.poll(running, { timeout: 5_000 }).toBe('0\n')
    await session.ping()
  })

  it('stops the database when the reader leaves early, and reads no faster than it is asked to', async () => {
    const session = await open(server.admin)
    let seen = 0
    const signal = new AbortController().signal
    const statement = 'SELECT number AS numbers_to_cancel FROM system.numbers'
    for await (const event of session.query(statement, { signal, timeoutMs: 20_000 })) {
      if (event.type === 'rows') seen += event.rows.length
      if (seen > 1_000) break
    }
    await expect.poll(running, { timeout: 5_000 }).toBe('0\n')
  })

  it('gives up a statement after its time', async () => {
    const session = await open(server.admin)
    const endless = run(session, 'SELECT count() FROM system.numbers WHERE NOT ignore(number)', { timeoutMs: 1_000 })
    await expect(endless).rejects.toMatchObject({
      code: 'STATEMENT_FAILED',
      message: expect.stringContaining('time limit'),
    })
  })
})
