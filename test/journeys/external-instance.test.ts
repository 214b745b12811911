import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

/** Somebody else's Postgres over TCP and TLS: connected once by an admin, then logged in to with a credential. */
describeWith(['psql', 'openssl'], 'an external Postgres', () => {
  let authority: TestAuthority
  let upstream: UpstreamPostgres
  let postern: RunningPostern
  let admin: ControlPlane
  let application: ControlPlane
  let clientId: string
  const password = 'admin source password 7f3a'
  beforeAll(async () => {
    authority = createTestAuthority('upstream authority')
    upstream = await startUpstreamPostgres({
      tls: authority.issue(['localhost', '127.0.0.1']),
      hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
    })
    const superuser = await upstream.superuser()
    await superuser.query(`create role keeper login createrole createdb password '${password}'`)
    await superuser.query('create database orders')
    await superuser.end()
    postern = await startPostern()
    admin = await postern.asAdmin()
    const created = await admin.createServicePrincipal('order report')
    clientId = created.clientId
    application = await postern.asServicePrincipal(clientId, created.clientSecret)
  })
  afterAll(async () => {
    await postern?.stop()
    await upstream?.stop()
    authority?.remove()
  })

  const source = () => ({
    host: '127.0.0.1',
    port: upstream.port,
    database: 'orders',
    username: 'keeper',
    password,
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
  })
  const external = (change: Record<string, unknown> = {}) => ({
    kind: 'external',
    name: 'orders-db',
    adminDataSource: { ...source(), ...change },
  })
  const logIn = async (sql: string, change: Record<string, unknown> = {}) => {
    const login = {
      user: clientId,
      password: await application.mintCredential('orders-db'),
      database: 'databricks_postgres',
    }
    return psql({ ...postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, login), ...change }, sql)
  }

  test('[D1-022] is tested by validateOnly, stage by stage, and nothing is stored', async () => {
    const report = await admin.expect<{ ok: boolean; stages: { stage: string; ok: boolean }[] }>(
      'POST',
      '/v1/instances?validateOnly=true',
      external(),
    )
    expect(report.stages.map(({ stage, ok }) => [stage, ok])).toEqual(
      ['secret', 'name', 'tcp', 'tls', 'login', 'version', 'privileges'].map((stage) => [stage, true]),
    )
    expect((await admin.send('GET', '/v1/instances/orders-db')).status).toBe(404)
  })

  test('[D1-023] is not stored when its test fails, and the refusal names the stage and what to do', async () => {
    const attempts: [Record<string, unknown>, string][] = [
      [{ password: 'wrong' }, 'UPSTREAM_AUTH_FAILED'],
      [{ tlsCa: createTestAuthority('another').caPem }, 'UPSTREAM_TLS_UNTRUSTED'],
      [{ port: 1 }, 'UPSTREAM_PORT_CLOSED'],
      [{ host: '169.254.169.254' }, 'UPSTREAM_ADDRESS_REFUSED'],
    ]
    for (const [change, code] of attempts) {
      const { status, body } = await admin.send('POST', '/v1/instances', external(change))
      expect(status).toBeGreaterThanOrEqual(400)
      expect(body).toMatchObject({ code })
      expect(JSON.stringify(body)).not.toContain(password)
    }
    expect((await admin.send('GET', '/v1/instances/orders-db')).status).toBe(404)
  })

  test('[D1-002] is configured by a Workspace Admin or DBA only: a member gets 403', async () => {
    expect(await application.send('POST', '/v1/instances', external())).toMatchObject({
      status: 403,
      body: { code: 'PERMISSION_DENIED' },
    })
    const created = await admin.createServicePrincipal('dba', 'dba')
    const dba = await postern.asServicePrincipal(created.clientId, created.clientSecret)
    const instance = await dba.expect('POST', '/v1/instances', { ...external(), name: 'by-dba' })
    expect(instance).toMatchObject({ name: 'by-dba', state: 'AVAILABLE' })
    expect((await application.send('DELETE', '/v1/instances/by-dba')).status).toBe(403)
    await dba.expect('DELETE', '/v1/instances/by-dba')
  })

  test('[D1-003] [D1-006] [D1-086] is created from its admin data source; no answer and no row holds the password', async () => {
    const instance = await admin.expect('POST', '/v1/instances', external())
    expect(instance).toMatchObject({ state: 'AVAILABLE', dataSources: [{ type: 'admin', passwordSet: true }] })
    expect(JSON.stringify(instance)).not.toContain(password)
    expect(JSON.stringify(await admin.expect('GET', '/v1/auditEvents?pageSize=200'))).not.toContain(password)
    expect(postern.logs()).not.toContain(password)
  })

  test('is logged in to with a credential as a bound role, over verified TLS; databricks_postgres means its own database', async () => {
    expect(await admin.bindPostgresRole('orders-db', clientId)).toBe(clientId)
    const sql = 'select session_user, current_database(), ssl from pg_stat_ssl where pid = pg_backend_pid()'
    expect(await logIn(sql)).toMatchObject({ code: 0, stdout: `${clientId}|orders|t\n` })
    const superuser = await upstream.superuser()
    const { rows } = await superuser.query(
      'select rolcreatedb, rolcreaterole, rolreplication, rolsuper, rolpassword from pg_authid where rolname = $1',
      [clientId],
    )
    expect(rows).toEqual([
      {
        rolcreatedb: false,
        rolcreaterole: false,
        rolreplication: false,
        rolsuper: false,
        rolpassword: expect.stringMatching(/^SCRAM-SHA-256\$/),
      },
    ])
    await superuser.query('create database databricks_postgres')
    await superuser.end()
    expect(await logIn('select current_database()')).toMatchObject({ stdout: 'databricks_postgres\n' })
  })

  test('names longer than Postgres keeps are refused, and an existing role is never taken over', async () => {
    const roles = '/v1/instances/orders-db/roles'
    const long = await admin.send('POST', roles, { principal: { clientId }, roleName: 'ä'.repeat(32) })
    expect(long).toMatchObject({ status: 400 })
    for (const roleName of ['keeper', 'postgres']) {
      const taken = await admin.send('POST', roles, { principal: { clientId }, roleName })
      expect(taken.status, roleName).toBeGreaterThanOrEqual(400)
    }
    expect(await logIn('select 1', { user: 'keeper' })).toMatchObject({ code: 2 })
  })

  test('an identity that changes its own password there is refused from then on, until an explicit repair', async () => {
    expect(await logIn(`alter role "${clientId}" password 'mine'`)).toMatchObject({ code: 0 })
    const { stderr } = await logIn('select 1')
    expect(stderr).toMatch(/authentication failed.*no longer accepts the bound Postgres role/)
    const repair = await admin.expect('POST', `/v1/instances/orders-db/roles/${clientId}:repair`, {})
    expect(repair).toMatchObject({ repaired: true, findings: ['login_key_changed'] })
    expect(await logIn('select 1')).toMatchObject({ code: 0 })
  })

  test('a role that was dropped and made again under the same name is another role', async () => {
    const superuser = await upstream.superuser('orders')
    const { rows } = await superuser.query('select rolpassword from pg_authid where rolname = $1', [clientId])
    await superuser.query(`drop role "${clientId}"`)
    await superuser.query(`create role "${clientId}" login password '${rows[0].rolpassword}'`)
    await superuser.end()
    const { code, stderr } = await logIn('select 1')
    expect(code).toBe(2)
    expect(stderr).toMatch(/authentication failed.*is not the one that was bound/)
    const failed = '/v1/auditEvents?action=session.start&outcome=failed&pageSize=1'
    await expect
      .poll(
        async () => (await admin.expect<{ auditEvents: { reason: string }[] }>('GET', failed)).auditEvents[0]?.reason,
      )
      .toBe('ROLE_DRIFTED')
    const repair = await admin.send('POST', `/v1/instances/orders-db/roles/${clientId}:repair`, {})
    expect(repair).toMatchObject({ status: 409, body: { code: 'ROLE_DRIFTED' } })
  })

  test('a data source that is pointed elsewhere cannot take its stored password along: a listener there hears nothing', async () => {
    let heard = 0
    const listener = createServer((socket) => socket.on('data', (chunk) => (heard += chunk.length)))
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const address = listener.address() as { port: number }
    const moves = [
      { port: address.port },
      { host: 'localhost' },
      { username: 'postgres' },
      { tlsMode: 'disable' },
      { tlsCa: null },
    ]
    for (const adminDataSource of moves) {
      const answer = await admin.send('PATCH', '/v1/instances/orders-db', { adminDataSource })
      expect(answer, JSON.stringify(adminDataSource)).toMatchObject({ status: 400, body: { code: 'SECRET_REQUIRED' } })
    }
    expect(heard).toBe(0)
    listener.close()
  })
})
