import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { commandLine, descendants, isAlive } from '../support/processes.ts'
import { type LibpqTarget, psql, startPsql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { SshdServer, sshdTakesPasswords } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

/**
 * A Postgres behind an SSH server, with TLS and a client certificate on top: configured once, then logged in to by everybody
 * through the gateway, by one tunnel.
 */
describeWith(['psql', 'openssl', 'sshd'], 'a Postgres behind an SSH server', () => {
  let authority: TestAuthority
  let upstream: UpstreamPostgres
  let sshd: SshdServer
  let postern: RunningPostern
  let admin: ControlPlane
  let application: ControlPlane
  let clientId: string
  let client: { certificateChainPem: string; privateKeyPem: string }
  const password = 'admin source password 5c1e'

  beforeAll(async () => {
    authority = createTestAuthority('upstream authority')
    client = authority.issue(['postern'])
    // A name that the certificate has, resolved by the SSH server alone as far as Postern is concerned.
    upstream = await startUpstreamPostgres({
      tls: authority.issue(['localhost']),
      clientCaPem: authority.caPem,
      hba: ['hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca'],
    })
    const superuser = await upstream.superuser()
    await superuser.query(`create role keeper login createrole createdb password '${password}'`)
    await superuser.query('create database orders')
    await superuser.end()
    sshd = await SshdServer.start({ settings: ['AddressFamily inet'] })
    postern = await startPostern()
    admin = await postern.asAdmin()
    const created = await admin.createServicePrincipal('order report')
    clientId = created.clientId
    application = await postern.asServicePrincipal(clientId, created.clientSecret)
  })
  afterAll(async () => {
    await postern?.stop()
    await sshd?.stop()
    await upstream?.stop()
    authority?.remove()
  })

  const hop = (change: Record<string, unknown> = {}) => ({
    host: '127.0.0.1',
    port: sshd.port,
    username: sshd.username,
    auth: 'private_key',
    privateKey: sshd.clientKey,
    hostKey: sshd.fingerprints.ed25519,
    ...change,
  })
  const source = (change: Record<string, unknown> = {}) => ({
    host: 'localhost',
    port: upstream.port,
    database: 'orders',
    username: 'keeper',
    password,
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
    tlsClientCertificate: client.certificateChainPem,
    tlsClientKey: client.privateKeyPem,
    ssh: [hop()],
    ...change,
  })
  const instance = (change: Record<string, unknown> = {}) => ({
    kind: 'external',
    name: 'orders-db',
    adminDataSource: source(change),
  })
  const target = async (): Promise<LibpqTarget> => {
    const credential = await application.mintCredential('orders-db')
    const login = { user: clientId, password: credential, database: 'orders' }
    return postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, login)
  }
  const logIn = async (sql: string) => psql(await target(), sql)
  const tunnelProcesses = () =>
    descendants(postern.pid).filter((pid) => commandLine(pid).trimEnd().endsWith(' tunnels'))
  const until = async (what: string, isTrue: () => boolean | Promise<boolean>) => {
    for (let attempt = 0; !(await isTrue()); attempt++) {
      if (attempt === 200) throw new Error(`never happened: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const isRunning = async (statement: string): Promise<boolean> => {
    const superuser = await upstream.superuser()
    const { rowCount } = await superuser.query(`select from pg_stat_activity where query = $1 and state = 'active'`, [
      statement,
    ])
    await superuser.end()
    return rowCount === 1
  }

  test('[D1-016] an unpinned host key is shown, and nothing secret is sent until somebody confirmed it', async () => {
    expect(tunnelProcesses()).toEqual([])
    const { status, body } = await admin.send('POST', '/v1/instances', instance({ ssh: [hop({ hostKey: undefined })] }))
    expect([status, body['code']]).toEqual([409, 'UPSTREAM_SSH_HOST_KEY_UNKNOWN'])
    expect(JSON.stringify(body)).toContain(sshd.fingerprints.ed25519)
    expect(sshd.log).not.toMatch(/publickey|password/)
    expect(tunnelProcesses()).toHaveLength(1)
  })

  test('is tested stage by stage, and each failure has its own code', async () => {
    const report = await admin.expect<{ stages: { stage: string; ok: boolean; detail?: Record<string, unknown> }[] }>(
      'POST',
      '/v1/instances?validateOnly=true',
      instance(),
    )
    const passed = report.stages.filter(({ ok }) => ok).map(({ stage }) => stage)
    const expected = ['name', 'tcp', 'ssh_handshake', 'ssh_host_key', 'ssh_login', 'ssh_forward', 'tls', 'login']
    expect(passed.filter((stage) => expected.includes(stage))).toEqual(expected)
    const failures: [Record<string, unknown>, string][] = [
      [{ ssh: [hop({ hostKey: `SHA256:${'A'.repeat(43)}` })] }, 'UPSTREAM_SSH_HOST_KEY_CHANGED'],
      [{ ssh: [hop({ username: 'nobody-of-that-name' })] }, 'UPSTREAM_SSH_AUTH_FAILED'],
      [{ ssh: [hop({ privateKey: sshd.clientKey.slice(0, 150) })] }, 'UPSTREAM_SSH_KEY_UNREADABLE'],
      [{ ssh: [hop({ port: 1 })] }, 'UPSTREAM_SSH_UNREACHABLE'],
      [{ port: 1 }, 'UPSTREAM_PORT_CLOSED'],
      [{ host: 'no-such-host.invalid' }, 'UPSTREAM_NAME_UNKNOWN'],
      [{ host: '127.0.0.1' }, 'UPSTREAM_TLS_WRONG_NAME'],
      [{ password: 'wrong' }, 'UPSTREAM_AUTH_FAILED'],
    ]
    for (const [change, code] of failures) {
      const { body } = await admin.send('POST', '/v1/instances', instance(change))
      expect(body).toMatchObject({ code })
      expect(JSON.stringify(body)).not.toContain(password)
    }
  })

  test('[D1-011] [D1-015] [D1-019] [D1-020] is created, and a bound role logs in through the same tunnel as the administrator', async () => {
    await admin.expect('POST', '/v1/instances', instance())
    expect(await admin.bindPostgresRole('orders-db', clientId)).toBe(clientId)
    const loginsBefore = sshd.logins
    const sql = `select session_user, current_database(), ssl, client_dn from pg_stat_ssl where pid = pg_backend_pid()`
    const answers = await Promise.all(Array.from({ length: 8 }, () => logIn(sql)))
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: 0, stdout: `${clientId}|orders|t|/CN=postern\n` })
    }
    expect(sshd.logins).toBe(loginsBefore)
    expect(sshd.sessions).toBe(1)
  })

  test('answers are whole, and a statement is cancelled by the same way', async () => {
    const bytes = await logIn(`select length(string_agg(repeat('x', 1000), '')) from generate_series(1, 20000)`)
    expect(bytes).toMatchObject({ code: 0, stdout: '20000000\n' })
    const big = await logIn(`select repeat('x', 1000) from generate_series(1, 20000)`)
    expect(big.stdout.length).toBe(20_000 * 1001)
    const statement = `select pg_sleep(60)`
    const running = startPsql(await target(), ['--command', statement])
    await until('the statement runs', () => isRunning(statement))
    running.signal('SIGINT')
    const end = await running.ended
    expect(end.stderr).toContain('canceling statement due to user request')
    expect(sshd.sessions).toBe(1)
  })

  test('a bound role is repaired through the tunnel, with its login key tried', async () => {
    const superuser = await upstream.superuser()
    await superuser.query(`alter role "${clientId}" password 'somebody else set this'`)
    await superuser.end()
    expect((await logIn('select 1')).code).not.toBe(0)
    const repaired = await admin.expect('POST', `/v1/instances/orders-db/roles/${clientId}:repair`, {})
    expect(repaired).toMatchObject({ findings: ['login_key_changed'] })
    expect(await logIn('select 1')).toMatchObject({ code: 0, stdout: '1\n' })
  })

  test.skipIf(!sshdTakesPasswords)('[D1-021] a password lets in as well', async () => {
    const ssh = [hop({ auth: 'password', privateKey: undefined, password: sshd.password })]
    const { ok } = await admin.expect<{ ok: boolean }>('POST', '/v1/instances?validateOnly=true', instance({ ssh }))
    expect(ok).toBe(true)
    await until('sshd logs it', () => sshd.log.includes('Accepted password for'))
    // One more tunnel, for another way to log in: gone in a minute, or now.
    sshd.killSessions()
  })

  test('a tunnel that is cut ends its sessions, and the next login opens another', async () => {
    const statement = `select pg_sleep(61)`
    const running = startPsql(await target(), ['--command', statement])
    await until('the statement runs', () => isRunning(statement))
    sshd.killSessions()
    expect((await running.ended).code).not.toBe(0)
    expect(await logIn('select 1')).toMatchObject({ code: 0, stdout: '1\n' })
    expect(sshd.sessions).toBe(1)
  })

  test('losing the process of the tunnels ends tunnelled sessions alone, and it is there again for new ones', async () => {
    const plain = await admin.createManagedInstance('plain')
    await admin.bindPostgresRole('plain', clientId)
    const plainLogin = { user: clientId, password: await application.mintCredential('plain'), database: 'postgres' }
    const open = startPsql(postern.libpqTarget(plain, plainLogin), [], { keepInputOpen: true })
    open.type('select 41 + 1;\n')
    await until('the plain session answers', () => open.stdout().includes('42'))
    const statement = `select pg_sleep(62)`
    const running = startPsql(await target(), ['--command', statement])
    await until('the statement runs', () => isRunning(statement))
    const [pid] = tunnelProcesses()
    const others = descendants(postern.pid).filter((each) => /( control| gateway)\s*$/.test(commandLine(each)))
    process.kill(pid!, 'SIGKILL')
    expect((await running.ended).code).not.toBe(0)
    expect(await logIn('select 1')).toMatchObject({ code: 0, stdout: '1\n' })
    open.type('select 42 + 1;\n')
    await until('the plain session answers', () => open.stdout().includes('43'))
    open.type('\\q\n')
    expect((await open.ended).code).toBe(0)
    expect(tunnelProcesses()).not.toContain(pid)
    expect(others.length).toBeGreaterThanOrEqual(2)
    expect(others.every(isAlive)).toBe(true)
  })

  test('another server at the address of the pinned one gets no login, from nobody', async () => {
    const { port } = sshd
    await sshd.stop()
    const impostor = await SshdServer.start({ port })
    try {
      const { code, stderr } = await logIn('select 1')
      expect(code).not.toBe(0)
      expect(stderr).toContain('where SHA256:')
      expect(stderr).not.toContain('127.0.0.1:')
      const { body } = await admin.send('POST', '/v1/instances/orders-db/roles', {
        principal: { clientId },
        roleName: 'another',
      })
      expect(body).toMatchObject({ code: 'UPSTREAM_SSH_HOST_KEY_CHANGED' })
      expect(impostor.connections).toBeGreaterThan(2)
      expect(impostor.log).not.toMatch(/publickey|password|[Ii]nvalid user/)
    } finally {
      await impostor.stop()
    }
  })

  test('no key and no password stands in a log or an answer', async () => {
    const secrets = [password, sshd.clientKey.split('\n')[2]!, client.privateKeyPem.split('\n')[1]!]
    const told = postern.logs() + JSON.stringify(await admin.expect('GET', '/v1/instances/orders-db'))
    const audit = JSON.stringify(await admin.expect('GET', '/v1/auditEvents?pageSize=200'))
    for (const secret of secrets) expect(told + audit).not.toContain(secret)
  })
})
