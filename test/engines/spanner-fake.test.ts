import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { EngineSession, OpenOptions } from '../../src/engines/engine.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { GOOGLE_TOKEN_ENDPOINTS } from '../../src/secrets/google/access-token.ts'
import { createSpannerEngine } from '../../src/engines/spanner/index.ts'
import { FAKE_INSTANCE, startFakeSpanner, type FakeSpanner, type SpannerParts } from '../support/fake-spanner.ts'
import { testDialer } from '../support/test-dialer.ts'

/** Addresses that are only read, never reached, are put together. */
const SLASHES = '//'

const text = (name: string) => ({ name, type: { code: 'STRING' } })
const DIALECT_QUERY = `select option_value from information_schema.database_options where option_name = 'database_dialect'`
const list = { code: 'ARRAY', arrayElementType: { code: 'STRING' } }

/** A value cut in the middle, twice; a row over several parts; tokens here and there. */
const CUT_UP: SpannerParts = [
  { metadata: { rowType: { fields: [text('a'), { name: 'b', type: list }] } }, values: ['1'], resumeToken: 'dA==' },
  { values: [['x', 'lo']], chunkedValue: true },
  { values: [['ng', 'y']], resumeToken: 'dB==' },
  { values: ['2', ['z'], 'thr'], chunkedValue: true },
  { values: ['e'], chunkedValue: true },
  { values: ['e', []], resumeToken: 'dC==' },
]
const WHOLE = [
  ['1', '["x","long","y"]'],
  ['2', '["z"]'],
  ['three', '[]'],
]

describe('[D1-176] [D1-177] [D1-178] [D1-179] Spanner engine against a strict fake of its REST API', () => {
  let fake: FakeSpanner

  beforeEach(async () => {
    fake = await startFakeSpanner({
      [DIALECT_QUERY]: [{ metadata: { rowType: { fields: [text('option_value')] } } }],
      'SELECT a, b FROM t': CUT_UP,
      'UPDATE t SET a = 1 WHERE TRUE': [{ stats: { rowCountExact: '3' } }],
    })
  })
  afterEach(async () => fake.stop())

  const route = (parts: Partial<DataSourceRoute> = {}): DataSourceRoute => ({
    ...PLAIN_ROUTE,
    engine: 'spanner',
    host: 'localhost',
    port: fake.port,
    database: 'alpha',
    username: '',
    loginMethod: 'service_account',
    tlsMode: 'verify-full',
    tlsCa: fake.caPem,
    fields: { projectId: 'test-project', instanceId: 'first' },
    ...parts,
  })
  const endpoints = () => [{ uri: fake.tokenUri, host: 'localhost', port: fake.port, tlsCa: fake.caPem }]

  function open(parts: Partial<DataSourceRoute> = {}, options: Partial<OpenOptions> = {}): Promise<EngineSession> {
    return createSpannerEngine(endpoints()).open(route(parts), {
      dialer: testDialer(),
      secrets: { serviceAccount: new Secret(fake.keyJson()) },
      purpose: 'admin',
      timeoutMs: 10_000,
      ...options,
    })
  }

  const run = async (session: EngineSession, sql: string): Promise<QueryEvent[]> =>
    Array.fromAsync(session.query(sql, { signal: new AbortController().signal, timeoutMs: 10_000 }))
  const rowsOf = (events: readonly QueryEvent[]) => events.flatMap((event) => (event.type === 'rows' ? event.rows : []))

  it('[D1-180] [D1-200] logs in with the key of a service account and lists the databases of all pages', async () => {
    const stages: string[] = []
    const session = await open({ database: '' }, { onStage: (stage) => void stages.push(stage) })
    expect(stages).toEqual(['name', 'tcp', 'tls', 'login'])
    expect((await session.listDatabases()).map(({ name }) => name)).toEqual(['alpha', 'beta', 'gamma'])
    await session.close()
  })

  it('names a database and an instance that do not exist', async () => {
    await expect(open({ database: 'delta' })).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
    const elsewhere = { fields: { projectId: 'test-project', instanceId: 'second' }, database: '' }
    await expect(open(elsewhere)).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
  })

  it('says that a key was refused, and nothing of the key', async () => {
    fake.mood.isKeyDeleted = true
    const refused = await open().catch((thrown: unknown) => thrown)
    expect(refused).toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
    expect(JSON.stringify(refused)).not.toContain('PRIVATE')
  })

  it('[D1-192] names the missing role and the command that grants it', async () => {
    fake.mood.permissions = []
    await expect(open()).rejects.toMatchObject({
      code: 'UPSTREAM_PERMISSION',
      message: expect.stringContaining('Cloud Spanner Database Admin') as string,
      hint: expect.stringContaining(
        'gcloud spanner instances add-iam-policy-binding first --project=test-project ' +
          '--member=serviceAccount:postern@test-project.iam.gserviceaccount.com --role=roles/spanner.databaseAdmin',
      ) as string,
    })
  })

  it('tells what is missing, and that a read-only identity can write', async () => {
    const admin = await open()
    expect((await admin.checkPrivileges()).missingPrivileges).toEqual([
      expect.stringContaining('--role=roles/spanner.databaseAdmin'),
    ])
    await admin.close()
    const reader = await open({}, { purpose: 'read_only' })
    expect(await reader.checkPrivileges()).toMatchObject({ missingPrivileges: [], warnings: [] })
    fake.mood.permissions = ['spanner.databases.list', 'spanner.databases.select', 'spanner.databases.write']
    expect((await reader.checkPrivileges()).warnings).toEqual([expect.stringContaining('may write')])
    await reader.close()
  })

  it('puts values together again that come in pieces', async () => {
    const session = await open()
    expect(rowsOf(await run(session, 'SELECT a, b FROM t'))).toEqual(WHOLE)
    await session.close()
  })

  it.each([1, 2, 3, 4, 5])('goes on where a stream broke after %i parts, every row once', async (parts) => {
    const session = await open()
    await session.listDatabases()
    await run(session, 'SELECT a, b FROM t')
    fake.mood.cutAfterParts = parts
    expect(rowsOf(await run(session, 'SELECT a, b FROM t'))).toEqual(WHOLE)
    await session.close()
  })

  it('runs an aborted change again, and gives up at some time', async () => {
    const session = await open()
    fake.mood.abortedCommits = 2
    expect(await run(session, 'UPDATE t SET a = 1 WHERE TRUE')).toEqual([
      { type: 'complete', command: 'UPDATE', rowCount: 3 },
    ])
    fake.mood.abortedCommits = 100
    await expect(run(session, 'UPDATE t SET a = 1 WHERE TRUE')).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' })
    await session.close()
  })

  it('keeps one session for a database and deletes it at the end', async () => {
    const session = await open()
    await run(session, 'SELECT a, b FROM t; SELECT a, b FROM t')
    expect(fake.sessions.size).toBe(1)
    await session.close()
    expect(fake.sessions.size).toBe(0)
    expect(fake.calls.every((call) => call.includes(FAKE_INSTANCE))).toBe(true)
  })

  it('shows an assertion to nobody but the token endpoints of Google', async () => {
    const captured: Buffer[] = []
    const thief: Server = createServer((socket) => socket.on('data', (chunk) => captured.push(chunk)))
    await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', () => resolve()))
    try {
      const tokenUri = `https://127.0.0.1:${(thief.address() as AddressInfo).port}/token`
      for (const token_uri of [
        tokenUri,
        `http:${SLASHES}169.254.169.254/token`,
        'https://oauth2.googleapis.com.evil.test/token',
      ]) {
        const secrets = { serviceAccount: new Secret(fake.keyJson({ token_uri })) }
        const opened = createSpannerEngine(GOOGLE_TOKEN_ENDPOINTS).open(route(), {
          dialer: testDialer(),
          secrets,
          purpose: 'admin',
          timeoutMs: 5000,
        })
        await expect(opened).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'serviceAccount' } })
      }
      expect(captured).toEqual([])
      expect(fake.calls).toEqual([])
    } finally {
      thief.close()
    }
  })

  it.each([
    [
      'an external account',
      { type: 'external_account', credential_source: { url: `http:${SLASHES}169.254.169.254/` } },
    ],
    ['another cloud', { universe_domain: 'cloud.evil.test' }],
    ['no key', { private_key: 'nothing' }],
  ])('refuses credentials of %s', async (_name, changes) => {
    const secrets = { serviceAccount: new Secret(fake.keyJson(changes)) }
    await expect(open({}, { secrets })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(open({}, { secrets: { serviceAccount: new Secret('{') } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  it('uses the identity of the machine for no project that the operator did not list', async () => {
    const ambient = { loginMethod: 'ambient', host: '', port: 0, tlsCa: null } as const
    await expect(open(ambient)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'loginMethod' } })
    const other = testDialer({ ambientGoogleProjects: ['other-project'] })
    await expect(open(ambient, { dialer: other })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('hands the identity of the machine to no host but those of Google', async () => {
    const dialer = testDialer({ ambientGoogleProjects: ['test-project'] })
    await expect(open({ loginMethod: 'ambient', tlsCa: null }, { dialer })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      detail: { field: 'host' },
    })
    expect(fake.calls).toEqual([])
  })

  it.each([
    [{ host: 'db.test', tlsMode: 'disable', tlsCa: null }, 'tlsMode'],
    [{ tlsMode: 'require' }, 'tlsMode'],
    [{ host: '' }, 'tlsCa'],
    [{ fields: { projectId: 'p1', instanceId: 'projects/p1/instances/i1' } }, 'instanceId'],
    [{ fields: { projectId: 'p/1', instanceId: 'first' } }, 'projectId'],
    [{ fields: { projectId: 'p1', instanceId: '../x' } }, 'instanceId'],
    [{ database: '../x' }, 'database'],
  ] as [Partial<DataSourceRoute>, string][])('refuses the route %o by its field', (parts, field) => {
    const check = () => createSpannerEngine([]).checkRoute(route(parts))
    expect(check).toThrowError(expect.objectContaining({ code: 'INVALID_ARGUMENT', detail: { field } }) as Error)
  })
})
