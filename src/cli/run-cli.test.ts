import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recordedTerminal } from '../../test/support/recorded-terminal.ts'
import { problem, startScriptedControlPlane, type Script } from '../../test/support/scripted-control-plane.ts'
import { runCli } from './run-cli.ts'

let folder: string
const stops: (() => Promise<void>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-cli-'))
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  await rm(folder, { recursive: true })
})

const granted = { body: { access_token: 'access-1', token_type: 'Bearer', expires_in: 3600 } }
const me = { id: '1', kind: 'user', name: 'ann@example.test', workspaceId: '2', workspaceRole: 'admin' }
const instance = {
  uid: '6f1c2d5e-0000-4000-8000-000000000000',
  name: 'sample',
  kind: 'managed',
  engine: 'postgres',
  state: 'AVAILABLE',
  stateReason: null,
  serverVersion: '18.4',
  defaultDatabase: 'databricks_postgres',
  nativeLoginEnabled: false,
  nativeLoginRoles: [],
  accessTokenLoginEnabled: false,
  endSessionsOnRevocation: false,
  gatewayHost: 'sample.postern.localhost',
  gatewayPort: 5432,
  creator: 'ann@example.test',
  createdAt: '2026-11-23T04:35:00Z',
  updatedAt: '2026-11-23T04:35:00Z',
  etag: '1',
  title: '',
  environment: null,
  labels: {},
  externalLink: null,
  manageMode: null,
  syncIntervalSeconds: null,
  syncDatabases: null,
  deletedAt: null,
  dataSources: [],
}

/** A control plane, and command lines run against it by a service principal. */
async function servicePrincipalAt(script: Script) {
  const server = await startScriptedControlPlane({ 'POST /oidc/v1/token': granted, ...script })
  stops.push(server.stop)
  const environment = {
    POSTERN_HOST: server.origin,
    POSTERN_CLIENT_ID: 'client:1',
    POSTERN_CLIENT_SECRET: 'hush/hush',
    XDG_CONFIG_HOME: folder,
  }
  return { server, environment, run: (argv: readonly string[], options = {}) => runAt(argv, environment, options) }
}

async function runAt(
  argv: readonly string[],
  environment: Record<string, string>,
  options: Parameters<typeof recordedTerminal>[0] = {},
) {
  const recorded = recordedTerminal(options)
  const status = await runCli(argv, environment, recorded.terminal)
  return { status, output: recorded.output(), notes: recorded.notes() }
}

describe('signing in', () => {
  test('keeps the access token for the commands that follow, until logout', async () => {
    const server = await startScriptedControlPlane({ 'POST /oidc/v1/token': granted, 'GET /v1/me': { body: me } })
    stops.push(server.stop)
    const environment = { POSTERN_HOST: server.origin, XDG_CONFIG_HOME: folder }
    const login = await runAt(['login', '--email', 'ann@example.test', '--password-file', '-'], environment, {
      typed: 'p&ss wörd\n',
    })
    expect(login).toMatchObject({ status: 0, output: '' })
    expect(login.notes).toMatch(/^Signed in to http:\/\/localhost:\d+ as ann@example\.test until /)
    expect(Object.fromEntries(new URLSearchParams(server.requests[0]?.body))).toEqual({
      grant_type: 'password',
      client_id: 'postern',
      username: 'ann@example.test',
      password: 'p&ss wörd',
      scope: 'all-apis',
    })
    expect((await runAt(['whoami'], environment)).output).toMatch(/^Name: +ann@example\.test$/m)
    expect(server.requests[1]?.headers.authorization).toBe('Bearer access-1')
    expect((await runAt(['token'], environment)).output).toBe('access-1')
    expect((await runAt(['logout'], environment)).status).toBe(0)
    expect(await runAt(['whoami'], environment)).toMatchObject({ status: 3 })
  })

  test('a wrong password says so, in one line, and stores nothing', async () => {
    const refusal = { status: 400, body: { error: 'invalid_grant', error_description: 'E-mail or password is wrong' } }
    const server = await startScriptedControlPlane({ 'POST /oidc/v1/token': refusal })
    stops.push(server.stop)
    const environment = { POSTERN_HOST: server.origin, XDG_CONFIG_HOME: folder }
    const login = await runAt(['login', '--email', 'ann@example.test', '--password-file', '-'], environment, {
      typed: 'wrong',
    })
    expect(login.status).toBe(3)
    expect(login.notes).toMatch(/^postern: .* refused the e-mail or password of ann@example\.test\. .*\n$/)
    expect(login.notes).not.toContain('wrong')
    expect(await readdir(folder)).toEqual([])
  })

  test('where the password grant is switched off, that is said, and not that the password is wrong', async () => {
    const refusal = {
      status: 401,
      body: { error: 'invalid_client', error_description: 'Client authentication failed' },
    }
    const server = await startScriptedControlPlane({ 'POST /oidc/v1/token': refusal })
    stops.push(server.stop)
    const environment = { POSTERN_HOST: server.origin, XDG_CONFIG_HOME: folder }
    const login = await runAt(['login', '--email', 'ann@example.test', '--password-file', '-'], environment, {
      typed: 'right',
    })
    expect(login.status).toBe(3)
    expect(login.notes).toMatch(
      /^postern: sign-in with e-mail and password is switched off at http.* Leave out --email to sign in with the browser/,
    )
    expect(login.notes).not.toContain('refused')
  })

  test('an access token that has expired asks for a new sign-in before anything is sent', async () => {
    const server = await startScriptedControlPlane({
      'POST /oidc/v1/token': { body: { ...granted.body, expires_in: 0.001 } },
    })
    stops.push(server.stop)
    const environment = { POSTERN_HOST: server.origin, XDG_CONFIG_HOME: folder }
    await runAt(['login', '--email', 'ann@example.test', '--password-file', '-'], environment, { typed: 'x' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const { status, notes } = await runAt(['whoami'], environment)
    expect(status).toBe(3)
    expect(notes).toMatch(/the sign-in of ann@example\.test at .* has expired\. Run `postern login --host/)
    expect(server.requests).toHaveLength(1)
  })
})

describe('a service principal', () => {
  test('of the environment acts without a stored sign-in, its id and secret encoded by RFC 6749', async () => {
    const { server, run } = await servicePrincipalAt({ 'GET /v1/me': { body: me } })
    expect((await run(['whoami', '--output', 'json'])).output).toBe(JSON.stringify(me, null, 2))
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa('client%3A1:hush%2Fhush')}`)
    expect(await readdir(folder)).toEqual([])
  })

  test('may keep its secret in a file', async () => {
    const { server, environment } = await servicePrincipalAt({ 'GET /v1/me': { body: me } })
    await writeFile(join(folder, 'secret'), 'from-file\n')
    await runAt(['whoami'], { ...environment, POSTERN_CLIENT_SECRET_FILE: join(folder, 'secret') })
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa('client%3A1:from-file')}`)
  })

  test('gets a new access token when the first is refused', async () => {
    const expired = { status: 401, body: problem('ACCESS_TOKEN_EXPIRED', 401, 'expired') }
    const { server, run } = await servicePrincipalAt({ 'GET /v1/me': [expired, { body: me }] })
    expect((await run(['whoami'])).status).toBe(0)
    expect(server.requests.map(({ url }) => url)).toEqual(['/oidc/v1/token', '/v1/me', '/oidc/v1/token', '/v1/me'])
  })
})

describe('secrets', () => {
  test.each(['--password', '--password=hunter2', '--client-secret', '--token=x'])(
    '%s is refused as an argument',
    async (argument) => {
      const { status, notes } = await runAt(['login', '--email', 'a@example.test', argument, 'hunter2'], {})
      expect(status).toBe(2)
      expect(notes).toMatch(/is not taken: arguments show in the list of processes/)
      expect(notes).not.toContain('hunter2')
    },
  )

  test('an argument of psql behind -- is left alone', async () => {
    const { run } = await servicePrincipalAt({
      'GET /v1/instances/x': { status: 404, body: problem('INSTANCE_NOT_FOUND', 404, 'none') },
    })
    expect((await run(['psql', 'x', '--', '--password'])).status).toBe(4)
  })

  test('a new one goes to standard output alone, with the warning beside it', async () => {
    const created = {
      id: '6f1c2d5e-0000-4000-8000-000000000000',
      hint: 'dose',
      createdAt: '2026-11-23T04:35:00Z',
      expiresAt: null,
      lastUsedAt: null,
      secret: 'dose12345',
    }
    const { server, run } = await servicePrincipalAt({ 'POST /v1/servicePrincipals/abc/secrets': { body: created } })
    const { output, notes } = await run(['service-principal', 'secret', 'create', 'abc', '--lifetime', '2d'])
    expect(output).toBe('dose12345')
    expect(notes).toMatch(/It never expires\. Keep it now: it cannot be shown again\./)
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({ lifetimeSeconds: 172_800 })
  })
})

describe('unbinding a Postgres role', () => {
  const where = 'DELETE /v1/instances/x/roles/loader'

  test('says what became of the Postgres role on the database', async () => {
    const { server, run } = await servicePrincipalAt({ [where]: { body: { upstreamRole: 'absent' } } })
    const { notes } = await run(['role', 'unbind', 'x', 'loader', '--yes', '--reassign-owned-to', 'heir'])
    expect(notes).toBe('Postgres role loader on x is unbound; the database did not have it any more.\n')
    expect(server.requests[1]?.url).toBe('/v1/instances/x/roles/loader?reassignOwnedTo=heir')
  })

  test('alone is possible, for an instance that does not answer any more', async () => {
    const { server, run } = await servicePrincipalAt({
      [`${where}?keepUpstreamRole=true`]: { body: { upstreamRole: 'left' } },
      [where]: { body: { upstreamRole: 'left' } },
    })
    expect((await run(['role', 'unbind', 'x', 'loader', '--yes', '--keep-upstream-role'])).status).toBe(0)
    expect(server.requests[1]?.url).toBe('/v1/instances/x/roles/loader?keepUpstreamRole=true')
  })
})

describe('database credentials', () => {
  const credential = { token: 'eyJ.db', expiration_time: '2026-11-23T05:35:00Z' }

  test('the command of the document prints exactly expiration_time and token', async () => {
    const { server, run } = await servicePrincipalAt({ 'POST /api/2.0/database/credentials': { body: credential } })
    const json = '{\n"instance_names": ["db-instance-name"]\n}'
    const { output } = await run(['database', 'generate-database-credential', '--request-id', 'r-1', '--json', json])
    expect(output).toBe('{\n  "expiration_time": "2026-11-23T05:35:00Z",\n  "token": "eyJ.db"\n}')
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({
      instance_names: ['db-instance-name'],
      request_id: 'r-1',
    })
  })

  test.each(['{', '[]', '"x"', 'null'])('--json %s is refused before anything is sent', async (json) => {
    const { server, run } = await servicePrincipalAt({})
    expect((await run(['database', 'generate-database-credential', '--json', json])).status).toBe(2)
    expect(server.requests).toEqual([])
  })

  const issued = { token: 'eyJ.db', expiresAt: '2026-11-23T05:35:00Z' }

  test('`credential create` prints the credential alone, for PGPASSWORD', async () => {
    const { server, run } = await servicePrincipalAt({ 'POST /v1/databaseCredentials': { body: issued } })
    expect(await run(['credential', 'create', 'one', 'two'])).toEqual({ status: 0, output: 'eyJ.db', notes: '' })
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({
      instanceNames: ['one', 'two'],
      requestId: expect.any(String),
    })
  })

  test('`token --instance` asks for no more than it was told to', async () => {
    const { server, run } = await servicePrincipalAt({ 'POST /v1/databaseCredentials': { body: issued } })
    const options = ['--group', 'analysts', '--read-only', '--lifetime', '10m']
    expect((await run(['token', '--instance', 'one', ...options])).output).toBe('eyJ.db')
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({
      instanceNames: ['one'],
      requestId: expect.any(String),
      groupName: 'analysts',
      readOnly: true,
      lifetimeSeconds: 600,
    })
  })

  test('what restricts a credential is refused for an access token, and a lifetime out of bounds', async () => {
    const { server, run } = await servicePrincipalAt({})
    expect(await run(['token', '--read-only'])).toMatchObject({ status: 2, output: '' })
    expect(await run(['token', '--instance', 'one', '--lifetime', '2h'])).toMatchObject({ status: 2, output: '' })
    expect(server.requests).toEqual([])
  })

  test('`auth token` prints what the SDKs of Databricks read', async () => {
    const { run } = await servicePrincipalAt({})
    expect(JSON.parse((await run(['auth', 'token'])).output)).toEqual({
      access_token: 'access-1',
      token_type: 'Bearer',
      expiry: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  test('an instance that is stopped is a conflict, with the words of the server', async () => {
    const body = problem('INSTANCE_NOT_AVAILABLE', 409, 'instance sample is STOPPED')
    const { run } = await servicePrincipalAt({ 'POST /v1/databaseCredentials': { status: 409, body } })
    const { status, notes } = await run(['credential', 'create', 'sample'])
    expect(status).toBe(5)
    expect(notes).toMatch(/^postern: instance sample is STOPPED\. .*INSTANCE_NOT_AVAILABLE/)
  })
})

const goodReport = {
  ok: true,
  dataSource: 'admin',
  stages: [],
  privileges: [],
  missingPrivileges: [],
  warnings: [],
  seenAddress: null,
  addressesToAllow: ['203.0.113.7'],
}

/** Lines as a streamed answer has them. */
function streamed(lines: readonly object[]) {
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  return { body, headers: { 'content-type': 'application/x-ndjson' } }
}

describe('instances', () => {
  const external = [
    'instance',
    'create',
    'db',
    '--host-name',
    'db.example.test',
    '--username',
    'admin',
    '--password-file',
    '-',
  ]

  test('a connection test is shown stage by stage and fails with the stage that failed', async () => {
    const stages = [
      { stage: 'name', ok: true, elapsedMs: 1.4 },
      {
        stage: 'tcp',
        ok: false,
        elapsedMs: 12.6,
        code: 'UPSTREAM_UNREACHABLE',
        message: 'refused',
        action: 'Check the port.',
      },
    ]
    const lines = [
      ...stages.map((stage) => ({ type: 'stage', dataSource: 'admin', stage })),
      { type: 'report', report: { ...goodReport, ok: false, stages } },
    ]
    const { server, run } = await servicePrincipalAt({ 'POST /v1/instances': streamed(lines) })
    const { status, output, notes } = await run([...external, '--validate-only'], { typed: 'pw' })
    expect(output).toBe(
      '✓ host name resolves     1 ms\n✗ port answers          13 ms  refused\n  Check the port. [UPSTREAM_UNREACHABLE]\nAddresses to allow: 203.0.113.7',
    )
    expect(status).toBe(7)
    expect(notes).toMatch(/postern: the connection test failed\./)
    expect(server.requests[1]?.url).toBe('/v1/instances?validateOnly=true')
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({
      kind: 'external',
      name: 'db',
      adminDataSource: { host: 'db.example.test', username: 'admin', password: 'pw' },
    })
  })

  const sshHostKey = { host: 'bastion.test', port: 22, hostKey: `SHA256:${'a'.repeat(43)}`, algorithm: 'ssh-ed25519' }
  const unknownKey = {
    status: 409,
    body: { ...problem('UPSTREAM_SSH_HOST_KEY_UNKNOWN', 409, 'the host key is not known'), sshHostKey },
  }
  const throughSsh = [...external, '--ssh', 'tunnel@bastion.test', '--ssh-key', '6f1c2d5e-0000-4000-8000-000000000000']

  test('an SSH host key is shown and asked for, and only then is the request sent again with it', async () => {
    const { server, run } = await servicePrincipalAt({ 'POST /v1/instances': [unknownKey, { body: instance }] })
    const passwordFile = join(folder, 'password')
    await writeFile(passwordFile, 'pw')
    const command = throughSsh.map((word) => (word === '-' ? passwordFile : word))
    const { status, notes } = await run(command, { isInteractive: true, typed: 'y\r' })
    expect(status).toBe(0)
    expect(notes).toContain(sshHostKey.hostKey)
    const sent = server.requests.slice(1).map(({ body }) => JSON.parse(body).adminDataSource.ssh[0].hostKey)
    expect(sent).toEqual([undefined, sshHostKey.hostKey])
  })

  test('an SSH host key is never trusted in silence', async () => {
    const { server, run } = await servicePrincipalAt({ 'POST /v1/instances': unknownKey })
    const { status, notes } = await run(throughSsh, { typed: 'pw' })
    expect(status).toBe(2)
    expect(notes).toContain(`--host-key ${sshHostKey.hostKey}`)
    expect(server.requests).toHaveLength(2)
    await run([...throughSsh, '--host-key', sshHostKey.hostKey], { typed: 'pw' })
    expect(JSON.parse(server.requests.at(-1)?.body ?? '').adminDataSource.ssh[0].hostKey).toBe(sshHostKey.hostKey)
  })

  test('two secrets cannot both come from standard input', async () => {
    const { server, run } = await servicePrincipalAt({})
    const both = [...external, '--ssh', 'a@b.test', '--ssh-password-file', '-']
    expect(await run(both, { typed: 'pw' })).toMatchObject({ status: 2 })
    expect(server.requests.filter(({ method, url }) => method === 'POST' && url === '/v1/instances')).toEqual([])
  })

  test('--wait shows each state once and ends at AVAILABLE', async () => {
    const states = ['STARTING', 'STARTING', 'AVAILABLE'].map((state) => ({ body: { ...instance, state } }))
    const { run } = await servicePrincipalAt({
      'POST /v1/instances': { body: { ...instance, state: 'STARTING' } },
      'GET /v1/instances/sample': states,
    })
    const { status, output, notes } = await run(['instance', 'create', 'sample', '--managed', '--wait'])
    expect(status).toBe(0)
    expect(notes.replace(/[\d.]+ s/g, 'N s')).toBe('sample: STARTING (N s)\nsample: AVAILABLE (N s)\n')
    expect(output).toMatch(/^State: +AVAILABLE$/m)
  })

  test('--wait ends with the reason of the server when the instance fails', async () => {
    const failed = { ...instance, state: 'FAILED', stateReason: 'no space left' }
    const { run } = await servicePrincipalAt({
      'POST /v1/instances': { body: instance },
      'GET /v1/instances/sample': { body: failed },
    })
    const { status, notes } = await run(['instance', 'create', 'sample', '--managed', '--wait'])
    expect(status).toBe(7)
    expect(notes).toMatch(/instance sample is FAILED: no space left\./)
  })

  test('Ctrl-C ends the waiting and says that the work goes on', async () => {
    const starting = { body: { ...instance, state: 'STARTING' } }
    const { environment } = await servicePrincipalAt({
      'POST /v1/instances': starting,
      'GET /v1/instances/sample': starting,
    })
    const recorded = recordedTerminal()
    const ended = runCli(['instance', 'create', 'sample', '--managed', '--wait'], environment, recorded.terminal)
    while (!recorded.notes().includes('STARTING')) await new Promise((resolve) => setTimeout(resolve, 5))
    recorded.interrupt()
    expect(await ended).toBe(130)
    expect(recorded.notes()).toMatch(
      /instance sample goes on by itself\. `postern instance get sample` shows how it goes on\./,
    )
  })

  test('a managed instance takes no data source', async () => {
    const { server, run } = await servicePrincipalAt({})
    expect(await run(['instance', 'create', 'x', '--managed', '--tls-mode', 'disable'])).toMatchObject({
      status: 2,
      notes: 'postern: --tls-mode does not go with --managed. Postern chooses where a managed instance runs.\n',
    })
    expect(server.requests).toEqual([])
  })

  test('are not deleted without a yes', async () => {
    const { server, run } = await servicePrincipalAt({ 'DELETE /v1/instances/sample': { body: { state: 'DELETING' } } })
    expect(await run(['instance', 'delete', 'sample'])).toMatchObject({ status: 2 })
    expect(await run(['instance', 'delete', 'sample'], { isInteractive: true, typed: 'n\r' })).toMatchObject({
      status: 130,
    })
    expect(server.requests.filter(({ method }) => method === 'DELETE')).toEqual([])
    expect(await run(['instance', 'delete', 'sample', '--yes'])).toMatchObject({
      status: 0,
      notes: 'Instance sample is deleted.\n',
    })
    expect(server.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  })

  test('an update sends what was given and nothing else', async () => {
    const { server, run } = await servicePrincipalAt({ 'PATCH /v1/instances/sample': { body: instance } })
    await run(['instance', 'update', 'sample', '--native-login', 'on', '--no-tls-ca', '--port', '5433'])
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({
      nativeLoginEnabled: true,
      adminDataSource: { port: 5433, tlsCa: null },
    })
    expect((await run(['instance', 'update', 'sample'])).notes).toMatch(/^postern: nothing to change on sample\./)
  })

  test('a list is read page by page, as JSON in one array', async () => {
    const { server, run } = await servicePrincipalAt({
      'GET /v1/instances': [
        { body: { instances: [instance], nextPageToken: 'p 2' } },
        { body: { instances: [{ ...instance, name: 'two' }] } },
      ],
    })
    const { output } = await run(['instance', 'list', '--text', 's', '-o', 'json'])
    expect(JSON.parse(output).map(({ name }: { name: string }) => name)).toEqual(['sample', 'two'])
    expect(server.requests.map(({ url }) => url).slice(1)).toEqual([
      '/v1/instances?pageSize=200&text=s',
      '/v1/instances?pageSize=200&pageToken=p+2&text=s',
    ])
  })
})

describe('Postgres roles', () => {
  test('are bound to exactly one principal', async () => {
    const { server, run } = await servicePrincipalAt({})
    expect((await run(['role', 'bind', 'sample'])).notes).toMatch(/^postern: no principal is named\./)
    expect((await run(['role', 'bind', 'sample', '--user', 'a', '--group', 'b'])).notes).toMatch(
      /^postern: more than one principal is named\./,
    )
    expect(server.requests).toEqual([])
  })

  test('may be created and dropped in these words too', async () => {
    const { server, run } = await servicePrincipalAt({})
    await run(['role', 'create', 'sample', '--user', 'a'])
    await run(['role', 'drop', 'sample', 'a', '--yes'])
    const requests = server.requests.filter(({ url }) => url.startsWith('/v1/'))
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/instances/sample/roles',
      'DELETE /v1/instances/sample/roles/a',
    ])
  })

  test('a name with slashes and colons stays one name on the way', async () => {
    const { server, run } = await servicePrincipalAt({})
    await run(['role', 'repair', 'sample', 'a/b:repair'])
    expect(server.requests[1]?.url).toBe('/v1/instances/sample/roles/a%2Fb%3Arepair:repair')
  })
})

describe('a mistake on the command line', () => {
  test.each([
    [['instnce', 'list'], /^postern: unknown command 'instnce' \(Did you mean instance\?\)\./],
    [['instance', 'get'], /^postern: missing required argument 'instance'\./],
    [['audit', 'list', '--limit', 'many'], /^postern: .*It must be a whole number from 1\./],
    [['audit', 'list', '--outcome', 'maybe'], /^postern: .*Allowed choices are allowed, denied, failed\./],
    [['instance', 'list', '--nope'], /^postern: unknown option '--nope'\./],
  ])('%j is one line and status 2', async (argv, expected) => {
    const { status, notes, output } = await runAt(argv, {})
    expect(status).toBe(2)
    expect(notes).toMatch(expected)
    expect(notes.split('\n')).toHaveLength(2)
    expect(output).toBe('')
  })

  test('--since takes a time or how long ago', async () => {
    const { server, run } = await servicePrincipalAt({ 'GET /v1/auditEvents': { body: { auditEvents: [] } } })
    const { status, notes } = await run(['audit', 'list', '--since', '2026-11-23T04:35:00+01:00'])
    expect({ status, notes }).toEqual({ status: 0, notes: 'No audit event matches.\n' })
    expect(server.requests[1]?.url).toBe('/v1/auditEvents?pageSize=100&since=2026-11-23T03%3A35%3A00.000Z')
    expect((await run(['audit', 'list', '--since', 'yesterday'])).notes).toMatch(
      /^postern: --since yesterday is not a time\./,
    )
    expect((await run(['audit', 'list', '--since', '2h'])).status).toBe(0)
  })

  test('of the server configuration shows every mistake on a line of its own', async () => {
    const { status, notes } = await runAt(['config', 'print', '--http-port', 'x', '--gateway-port', 'y'], {})
    expect(status).toBe(2)
    expect(notes).toMatch(/2 mistakes:\n {2}--http-port: .*\n {2}--gateway-port: /)
  })
})

test('`config print` hides secrets', async () => {
  const masterKey = Buffer.alloc(32, 7).toString('base64')
  const environment = { POSTERN_STORE_URL: 'postgres://u:hunter2@db.example.test/x', POSTERN_MASTER_KEY: masterKey }
  for (const format of ['table', 'json']) {
    const { status, output } = await runAt(['config', 'print', '-o', format], environment)
    expect(status).toBe(0)
    expect(output).toContain('[secret]')
    expect(output).not.toContain('hunter2')
    expect(output).not.toContain(masterKey)
  }
})
