import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession, OpenOptions } from '../../src/engines/engine.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { loadEngine } from '../../src/engines/registry.ts'
import { startFakeSnowflake, type FakeResult, type FakeSnowflake } from '../support/fake-snowflake.ts'
import { testDialer } from '../support/test-dialer.ts'

const texts = (...names: string[]) => names.map((name) => ({ name, type: 'text', nullable: true }))
const result = (names: string[], ...rows: (string | null)[][]): FakeResult => ({
  rowType: texts(...names),
  partitions: [rows],
})
const WHOAMI = 'SELECT CURRENT_VERSION(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_ACCOUNT(), CURRENT_IP_ADDRESS()'
const GRANTS = ['created_on', 'privilege', 'granted_on', 'name']
const FROM = '"SHOP".INFORMATION_SCHEMA'
const TABLES = `SELECT T.TABLE_NAME, T.TABLE_TYPE, T.ROW_COUNT, T.BYTES, CASE WHEN C.ORDINAL_POSITION = 1 THEN T.COMMENT END, CASE WHEN C.ORDINAL_POSITION = 1 THEN V.VIEW_DEFINITION END, C.COLUMN_NAME, C.DATA_TYPE, C.CHARACTER_MAXIMUM_LENGTH, C.NUMERIC_PRECISION, C.NUMERIC_SCALE, C.DATETIME_PRECISION, C.IS_NULLABLE, C.COLUMN_DEFAULT, C.COMMENT FROM ${FROM}.TABLES T LEFT JOIN ${FROM}.VIEWS V ON V.TABLE_SCHEMA = T.TABLE_SCHEMA AND V.TABLE_NAME = T.TABLE_NAME LEFT JOIN ${FROM}.COLUMNS C ON C.TABLE_SCHEMA = T.TABLE_SCHEMA AND C.TABLE_NAME = T.TABLE_NAME WHERE T.TABLE_SCHEMA = ? ORDER BY T.TABLE_NAME, C.ORDINAL_POSITION`

describe('Snowflake engine against a strict fake of its SQL API', () => {
  let keys: ReturnType<typeof newKeys>
  let fake: FakeSnowflake

  const newKeys = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = (passphrase?: string) =>
    keys.privateKey
      .export({ type: 'pkcs8', format: 'pem', ...(passphrase && { cipher: 'aes-256-cbc', passphrase }) })
      .toString()

  beforeAll(() => {
    keys = newKeys()
  })
  beforeEach(async () => {
    fake = await startFakeSnowflake({
      [WHOAMI]: result(['V', 'U', 'R', 'A', 'I'], ['9.38.1', 'POSTERN', 'READER', 'XY12345', '203.0.113.7']),
      'SELECT 1': result(['1'], ['1']),
      'SELECT 2': result(['2'], ['2']),
      'SHOW DATABASES': {
        rowType: texts('created_on', 'name', 'is_default', 'origin', 'kind'),
        partitions: [
          [
            ['0', 'SHOP', 'N', '', 'STANDARD'],
            ['0', 'SAMPLE', 'N', 'SFC.SAMPLES', 'IMPORTED DATABASE'],
            ['0', 'APP', 'N', '', 'APPLICATION'],
            ['0', 'Odd "one"', 'N', null, null],
          ],
        ],
      },
      'SHOW GRANTS TO ROLE "READER"': result(
        GRANTS,
        ['0', 'USAGE', 'WAREHOUSE', 'SMALL'],
        ['0', 'SELECT', 'TABLE', 'SHOP.PUBLIC.ITEM'],
        ['0', 'USAGE', 'ROLE', 'INNER'],
      ),
      'SHOW GRANTS TO ROLE "INNER"': result(GRANTS, ['0', 'INSERT', 'TABLE', 'SHOP.PUBLIC.ITEM']),
      [`SELECT SCHEMA_NAME FROM ${FROM}.SCHEMATA WHERE SCHEMA_NAME <> 'INFORMATION_SCHEMA' ORDER BY SCHEMA_NAME`]:
        result(['SCHEMA_NAME'], ['PUBLIC']),
      [TABLES]: result(
        Array.from({ length: 15 }, (_, index) => `C${index}`),
        ['CHEAP', 'VIEW', null, null, null, 'SELECT 1', 'ID', 'NUMBER', null, '38', '0', null, 'YES', null, null],
        ['ITEM', 'BASE TABLE', '12', '2048', 'things', null, 'ID', 'NUMBER', null, '38', '0', null, 'NO', null, 'key'],
        ['ITEM', 'BASE TABLE', '12', '2048', null, null, 'NAME', 'TEXT', '16', null, null, null, 'YES', "'x'", null],
      ),
      'SELECT * FROM BIG': {
        rowType: [{ name: 'D', type: 'date', nullable: true }, ...texts('T')],
        partitions: [
          [['0', 'a']],
          [
            ['1', 'b'],
            [null, null],
          ],
          [['2', 'c']],
        ],
        polls: 2,
      },
      'SELECT SLOW': { rowType: texts('X'), partitions: [[]], polls: Infinity },
      'INSERT INTO ITEM VALUES (1)': {
        rowType: [{ name: 'number of rows inserted', type: 'fixed', precision: 19, scale: 0 }],
        partitions: [[['3']]],
      },
      'SELECT NOTHING': {
        failure: ['000904', '42000', "SQL compilation error: error line 2 at position 3\ninvalid identifier 'NOTHING'"],
      },
      'SELECT * FROM T WITHOUT WAREHOUSE': { failure: ['000606', '57P03', 'No active warehouse selected'] },
    })
    fake.setPublicKey('POSTERN', keys.publicKey)
  })
  afterEach(async () => fake.stop())

  const route = (parts: Partial<DataSourceRoute> = {}): DataSourceRoute => ({
    ...PLAIN_ROUTE,
    engine: 'snowflake',
    host: 'localhost',
    port: fake.port,
    database: '',
    username: 'postern',
    loginMethod: 'key_pair',
    tlsMode: 'verify-full',
    tlsCa: fake.caPem,
    fields: { account: 'xy12345.us-east-2.aws', warehouse: 'SMALL', snowflakeRole: 'READER' },
    ...parts,
  })

  async function open(
    parts: Partial<DataSourceRoute> = {},
    options: Partial<OpenOptions> = {},
  ): Promise<EngineSession> {
    const engine = await loadEngine('snowflake')
    const secrets = { privateKey: new Secret(pem()) }
    return engine.open(route(parts), { dialer: testDialer(), secrets, purpose: 'admin', timeoutMs: 10_000, ...options })
  }

  const run = (session: EngineSession, sql: string, signal = new AbortController().signal): Promise<QueryEvent[]> =>
    Array.fromAsync(session.query(sql, { signal, timeoutMs: 10_000 }))
  const rowsOf = (events: readonly QueryEvent[]) => events.flatMap((event) => (event.type === 'rows' ? event.rows : []))

  it('logs in with a key pair whose JWT Snowflake accepts', async () => {
    const stages: string[] = []
    const session = await open({}, { onStage: (stage) => void stages.push(stage) })
    expect(stages).toEqual(['name', 'tcp', 'tls', 'login'])
    expect(session.serverVersion).toBe('9.38.1')
    await session.ping()
    expect(new Set(fake.tokenTypes)).toEqual(new Set(['KEYPAIR_JWT']))
    expect(fake.submissions[0]).toMatchObject({ warehouse: 'SMALL', role: 'READER' })
    await session.close()
  })

  it('opens an encrypted key with its passphrase, and says when that is missing or wrong', async () => {
    const privateKey = new Secret(pem('open sesame'))
    const opened = await open({}, { secrets: { privateKey, privateKeyPassphrase: new Secret('open sesame') } })
    await opened.close()
    for (const secrets of [{ privateKey }, { privateKey, privateKeyPassphrase: new Secret('wrong') }]) {
      await expect(open({}, { secrets })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        detail: { field: 'privateKeyPassphrase' },
      })
    }
  })

  it('shows the statement that makes a refused key work', async () => {
    fake.setPublicKey('POSTERN', newKeys().publicKey)
    const body = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    await expect(open()).rejects.toMatchObject({
      code: 'UPSTREAM_AUTH_FAILED',
      hint: expect.stringContaining(`ALTER USER "POSTERN" SET RSA_PUBLIC_KEY='${body}'`) as string,
      detail: { snowflakeCode: '390144' },
    })
  })

  it.each([
    ['OAUTH', 'opaque-token'],
    ['OAUTH', `e30.${Buffer.from('{"iss":"https://idp.test"}').toString('base64url')}.x`],
    ['PROGRAMMATIC_ACCESS_TOKEN', `e30.${Buffer.from('{"p":"1:2","iss":"SF:1015"}').toString('base64url')}.x`],
  ] as const)('names the kind of an access token: %s', async (type, token) => {
    fake.tokens.set(token, type)
    const secrets = { accessToken: new Secret(token) }
    const session = await open({ loginMethod: 'access_token' }, { secrets })
    expect(fake.tokenTypes).toEqual([type])
    await session.close()
    fake.tokens.clear()
    await expect(open({ loginMethod: 'access_token' }, { secrets })).rejects.toMatchObject({
      code: 'UPSTREAM_AUTH_FAILED',
    })
  })

  it('refuses a password with the explanation that this API takes none', async () => {
    await expect(open({ loginMethod: 'password' }, { secrets: { password: new Secret('x') } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('takes no password') as string,
      detail: { field: 'loginMethod' },
    })
    expect(fake.tokenTypes).toEqual([])
  })

  it.each([
    [{ fields: { account: 'myorg.account' } }, 'account'],
    [{ tlsMode: 'require' }, 'tlsMode'],
    [{ host: '' }, 'tlsCa'],
    [{ username: '' }, 'username'],
  ] as [Partial<DataSourceRoute>, string][])('refuses the route %o by its field', async (parts, field) => {
    await expect(open(parts)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field } })
  })

  it('lists the databases of the account, without shares and applications of others', async () => {
    const session = await open()
    expect((await session.listDatabases()).map(({ name }) => name)).toEqual(['SHOP', 'Odd "one"'])
    await session.close()
  })

  it('describes tables and views with their columns', async () => {
    const session = await open()
    const tables: DescribedTable[] = []
    for await (const schema of session.describe('SHOP', { signal: new AbortController().signal })) {
      expect(schema.schema).toBe('PUBLIC')
      if ('tables' in schema) for await (const table of schema.tables) tables.push(table)
    }
    expect(tables).toMatchObject([
      { name: 'CHEAP', kind: 'view', definition: 'SELECT 1', rowEstimate: null, columns: [{ name: 'ID' }] },
      {
        name: 'ITEM',
        kind: 'table',
        rowEstimate: 12,
        sizeBytes: 2048,
        comment: 'things',
        columns: [
          { name: 'ID', type: 'NUMBER(38,0)', nullable: false, comment: 'key' },
          { name: 'NAME', type: 'TEXT(16)', nullable: true, defaultValue: "'x'" },
        ],
      },
    ])
    await session.close()
  })

  it('waits for a running statement and reads all its parts', async () => {
    const session = await open({ database: 'SHOP' })
    const events = await run(session, 'SELECT * FROM BIG')
    expect(rowsOf(events)).toEqual([
      ['1970-01-01', 'a'],
      ['1970-01-02', 'b'],
      [null, null],
      ['1970-01-03', 'c'],
    ])
    expect(events.at(-1)).toEqual({ type: 'complete', command: 'SELECT', rowCount: 4 })
    expect(fake.submissions.at(-1)).toMatchObject({ database: 'SHOP', parameters: { MULTI_STATEMENT_COUNT: '1' } })
    await session.close()
  })

  it('runs several statements in one session, and tells their results one by one', async () => {
    const session = await open()
    const events = await run(session, 'INSERT INTO ITEM VALUES (1); SELECT 1; SELECT 2')
    expect(events.filter(({ type }) => type === 'complete')).toEqual([
      { type: 'complete', command: 'INSERT', rowCount: 3 },
      { type: 'complete', command: 'SELECT', rowCount: 1 },
      { type: 'complete', command: 'SELECT', rowCount: 1 },
    ])
    await session.close()
  })

  it('cancels in Snowflake when the caller gives up', async () => {
    const session = await open()
    const stop = new AbortController()
    const running = run(session, 'SELECT SLOW', stop.signal)
    setTimeout(() => stop.abort(), 200)
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(fake.cancelled).toHaveLength(1)
    await session.close()
  })

  it('cancels in Snowflake when the time is over', async () => {
    const session = await open()
    const running = Array.fromAsync(
      session.query('SELECT SLOW', { signal: new AbortController().signal, timeoutMs: 300 }),
    )
    await expect(running).rejects.toMatchObject({ code: 'STATEMENT_FAILED', detail: { timeoutMs: 300 } })
    expect(fake.cancelled).toHaveLength(1)
    await session.close()
  })

  it('submits nothing that a read-only session may not run', async () => {
    const session = await open({}, { purpose: 'read_only' })
    const before = fake.submissions.length
    for (const sql of ['INSERT INTO ITEM VALUES (1)', 'SELECT 1; SELECT 2']) {
      await expect(run(session, sql)).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
    }
    expect(fake.submissions).toHaveLength(before)
    expect(rowsOf(await run(session, 'SELECT 1'))).toEqual([['1']])
    await session.close()
  })

  it('warns of a read-only role that can write through a role that it was granted, and tells our address', async () => {
    const session = await open({}, { purpose: 'read_only' })
    const report = await session.checkPrivileges()
    expect(report).toMatchObject({
      user: 'POSTERN',
      missingPrivileges: [],
      seenAddress: '203.0.113.7',
      systemIdentifier: 'XY12345',
    })
    expect(report.privileges).toContain('SELECT on TABLE SHOP.PUBLIC.ITEM')
    expect(report.warnings).toEqual([expect.stringContaining('INSERT on TABLE SHOP.PUBLIC.ITEM')])
    await session.close()
  })

  it('points at the place of an error, and says when a warehouse is missing', async () => {
    const session = await open()
    await expect(run(session, 'SELECT NOTHING')).rejects.toMatchObject({
      code: 'STATEMENT_FAILED',
      detail: { databaseCode: '000904' },
    })
    await expect(run(session, 'SELECT * FROM T WITHOUT WAREHOUSE')).rejects.toMatchObject({
      code: 'UPSTREAM_PERMISSION',
      hint: expect.stringContaining('warehouse') as string,
    })
    await session.close()
  })
})
