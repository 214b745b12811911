import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDebianPostgresCluster, type PostgresCluster } from '../engines/conformance/debian-postgres-cluster.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { startMariadb, type MariadbServer } from '../support/mariadb-server.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { SshdServer, sshdTakesPasswords } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'

const password = 'a database password 91c4'

interface Source {
  readonly name: string
  readonly type: string
  readonly tested: boolean
}
interface Shown {
  readonly etag: string
  readonly dataSources: readonly Source[]
}
interface Report {
  readonly ok: boolean
  readonly stages: readonly {
    readonly stage: string
    readonly ok: boolean
    readonly detail?: Record<string, unknown>
  }[]
  readonly warnings: readonly string[]
  readonly missingPrivileges: readonly string[]
  readonly seenAddress: string | null
  readonly addressesToAllow: readonly string[]
}

/** "Connect your database" from the first to the last step, on real servers, through the API of a running Postern. */
describeWith(['openssl', 'psql', 'pgbench', 'sshd', 'mariadbd'], 'connecting a database', () => {
  let authority: TestAuthority
  let cluster: PostgresCluster
  let mariadb: MariadbServer
  let sshd: SshdServer
  let postern: RunningPostern
  let dba: ControlPlane
  let clientId: string
  let client: { certificateChainPem: string; privateKeyPem: string }

  beforeAll(async () => {
    authority = createTestAuthority('connect your database')
    client = authority.issue(['postern'])
    const identity = authority.issue(['localhost', '127.0.0.1'])
    cluster = await startDebianPostgresCluster(identity, authority.caPem)
    mariadb = await startMariadb({ identity, clientCa: authority.caPem })
    sshd = await SshdServer.start()
    postern = await startPostern({ flags: ['--egress-addresses', '203.0.113.7,203.0.113.8'] })
    const admin = await postern.asAdmin()
    const created = await admin.createServicePrincipal('the dba', 'dba')
    clientId = created.clientId
    dba = await postern.asServicePrincipal(created.clientId, created.clientSecret)
    const superuser = await cluster.superuser()
    await superuser.query(`create role keeper login createrole createdb password '${password}'`)
    await superuser.query(`create role reader login password '${password}'`)
    await superuser.end()
    await mariadb.run(
      `create user keeper@'127.0.0.1' identified by '${password}' require x509`,
      `grant all privileges on *.* to keeper@'127.0.0.1' with grant option`,
    )
  }, 180_000)
  afterAll(async () => {
    await postern?.stop()
    await sshd?.stop()
    await mariadb?.stop()
    await cluster?.stop()
    authority?.remove()
  })

  const tls = () => ({
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
    tlsClientCertificate: client.certificateChainPem,
    tlsClientKey: client.privateKeyPem,
  })
  const postgres = (change: object = {}) => ({
    host: '127.0.0.1',
    port: cluster.port,
    username: 'keeper',
    password,
    ...tls(),
    ...change,
  })
  const testOf = (engine: string, dataSource: object, type = 'admin') =>
    dba.expect<Report>('POST', '/v1/instances:testConnection', { engine, type, dataSource })

  test('[D1-009] [D1-010] SSL with a client certificate works for PostgreSQL and MariaDB, and is offered for every engine named', async () => {
    const { engines } = await dba.expect<{
      engines: { engine: string; tlsModes: string[]; clientCertificate: boolean }[]
    }>('GET', '/v1/engines')
    for (const name of ['postgres', 'mysql', 'mariadb', 'tidb', 'clickhouse']) {
      expect(engines.find(({ engine }) => engine === name)).toMatchObject({
        tlsModes: ['disable', 'require', 'verify-ca', 'verify-full'],
        clientCertificate: true,
      })
    }
    for (const [engine, source] of [
      ['postgres', postgres()],
      ['mariadb', { ...postgres(), port: mariadb.port }],
    ] as const) {
      const report = await testOf(engine, source)
      expect([engine, report.ok, report.stages.at(-1)]).toMatchObject([engine, true, { stage: 'privileges', ok: true }])
      expect(report.stages.find(({ stage }) => stage === 'tls')?.detail).toMatchObject({
        protocol: expect.stringMatching(/TLSv1\.[23]/),
        subject: expect.stringContaining('localhost'),
      })
      const { tlsClientCertificate: _, tlsClientKey: __, ...without } = source
      expect(await testOf(engine, without)).toMatchObject({ ok: false })
    }
  })

  test('[D1-008] the addresses to allow are shown: those that the operator told, and the one that the database sees', async () => {
    const report = await testOf('postgres', postgres())
    expect(report).toMatchObject({ addressesToAllow: ['203.0.113.7', '203.0.113.8'], seenAddress: '127.0.0.1' })
  })

  test('[D1-024] [D1-026] [D1-027] [D1-030] [D1-031] [D1-032] read-only data sources are another role, or a replica with its own host and port, stored together', async () => {
    const role = { ...postgres({ username: 'reader' }), name: 'reader' }
    const replica = { ...role, name: 'replica', port: cluster.replicaPort }
    const superuser = await cluster.superuser()
    await superuser.query('grant pg_read_all_data to reader')
    await superuser.end()
    const created = await dba.expect<Shown>('POST', '/v1/instances', {
      kind: 'external',
      name: 'orders',
      engine: 'postgres',
      environment: 'prod',
      labels: { team: 'shop' },
      adminDataSource: postgres(),
    })
    expect(created.dataSources).toHaveLength(1)
    const readOnlyDataSources = [role, replica]
    const change = { etag: created.etag, readOnlyDataSources }
    const changed = await dba.expect<Shown>('PATCH', '/v1/instances/orders', change)
    expect(changed.dataSources.map(({ name, type, tested }) => [name, type, tested])).toEqual([
      ['admin', 'admin', true],
      ['reader', 'read_only', true],
      ['replica', 'read_only', true],
    ])
    const report = await dba.expect<Report>('POST', '/v1/instances/orders/dataSources/replica:testConnection', {})
    expect(report.ok).toBe(true)
    // No word of another cluster, nor of a user who can write; the certificates of this test end soon.
    expect(report.warnings).toEqual([
      expect.stringMatching(/^the TLS certificate of the server ends in 1 day/),
      expect.stringMatching(/^the client certificate of this data source ends in 1 day/),
    ])
    expect(JSON.stringify(changed)).not.toContain(password)
  })

  test('[D1-033] more are added, and each is deleted', async () => {
    const url = '/v1/instances/orders/dataSources'
    const added = await dba.expect<Shown>('POST', url, postgres({ username: 'reader' }))
    expect(added.dataSources.map(({ name }) => name)).toEqual(['admin', 'reader', 'replica', 'read-only-1'])
    const removed = await dba.expect<Shown>('DELETE', `${url}/read-only-1`)
    expect(removed.dataSources).toHaveLength(3)
  })

  test('[D1-157] [D1-161] [D1-162] a user who lacks privileges is told the exact statements, and after they were run nothing is missing', async () => {
    const superuser = await cluster.superuser()
    await superuser.query(`create role plain login password '${password}'; create role "odd ""one"""`)
    const before = await testOf('postgres', postgres({ username: 'plain' }))
    expect(before.ok).toBe(true)
    expect(before.missingPrivileges.join('\n')).toContain('"plain"')
    for (const statement of before.missingPrivileges) await superuser.query(statement)
    await superuser.end()
    const after = await testOf('postgres', postgres({ username: 'plain' }))
    expect(after.missingPrivileges).toEqual([])
  })

  test('a read-only user who can in fact write is warned about', async () => {
    const report = await testOf('postgres', postgres(), 'read_only')
    expect(report.ok).toBe(true)
    expect(report.warnings.length).toBeGreaterThan(0)
  })

  test('[D1-011] [D1-015] [D1-016] [D1-019] [D1-020] an SSH tunnel: private key, and the host key is confirmed before anything is sent', async () => {
    const hop = {
      host: '127.0.0.1',
      port: sshd.port,
      username: sshd.username,
      auth: 'private_key',
      privateKey: sshd.clientKey,
    }
    const behind = (ssh: object) => ({
      kind: 'external',
      name: 'behind-ssh',
      adminDataSource: postgres({ host: 'localhost', ssh: [ssh] }),
    })
    const unknown = await dba.send('POST', '/v1/instances', behind(hop))
    const hostKey = sshd.fingerprints.ed25519
    expect(unknown).toMatchObject({
      status: 409,
      body: { code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN', sshHostKey: { host: '127.0.0.1', port: sshd.port, hostKey } },
    })
    expect(sshd.logins).toBe(0)
    const created = await dba.expect<Shown>('POST', '/v1/instances', behind({ ...hop, hostKey }))
    expect(created.dataSources).toMatchObject([{ tested: true, ssh: [{ hostKey, privateKeySet: true }] }])
    expect(JSON.stringify(created)).not.toContain('PRIVATE')
  })

  test('a key pair that Postern makes logs in to an SSH server that was given its public half', async () => {
    const key = await dba.expect<{ id: string; publicKey: string }>('POST', '/v1/sshKeys', { title: 'bastion' })
    sshd.authorize(key.publicKey)
    const hostKey = sshd.fingerprints.ed25519
    const place = { host: '127.0.0.1', port: sshd.port, username: sshd.username, hostKey }
    const ssh = [{ ...place, auth: 'private_key', generatedKeyId: key.id }]
    expect(await testOf('postgres', postgres({ host: 'localhost', ssh }))).toMatchObject({ ok: true })
    expect(await testOf('mariadb', { ...postgres({ host: 'localhost', ssh }), port: mariadb.port })).toMatchObject({
      ok: true,
    })
  })

  test.runIf(sshdTakesPasswords)('[D1-021] an SSH server takes a password instead', async () => {
    const hostKey = sshd.fingerprints.ed25519
    const place = { host: '127.0.0.1', port: sshd.port, username: sshd.username, hostKey }
    const ssh = [{ ...place, auth: 'password', password: sshd.password }]
    const report = await testOf('postgres', postgres({ host: 'localhost', ssh }))
    expect(report).toMatchObject({ ok: true })
    expect(report.stages.map(({ stage }) => stage)).toContain('ssh_login')
  })

  test('[D1-001] an engine that is no Postgres is registered, and says why nobody logs in to it through the gateway', async () => {
    const body = {
      kind: 'external',
      name: 'shop-maria',
      engine: 'mariadb',
      adminDataSource: { ...postgres(), port: mariadb.port },
    }
    const created = await dba.expect('POST', '/v1/instances', body)
    expect(created).toMatchObject({
      engine: 'mariadb',
      gatewayHost: null,
      serverVersion: expect.stringMatching(/^\d+\./),
    })
    const bind = await dba.send('POST', '/v1/instances/shop-maria/roles', { principal: { clientId } })
    expect(bind.body).toMatchObject({
      code: 'FEATURE_NOT_SUPPORTED',
      detail: expect.stringContaining('has engine mariadb'),
    })
    const login = { user: clientId, password: await dba.mintCredential('shop-maria'), database: 'shop-maria/shop' }
    const target = postern.libpqTarget({ gatewayHost: 'shop-maria.postern.localhost' }, login)
    const { code, stderr } = await psql(target, 'select 1')
    expect([code, stderr]).toEqual([2, expect.stringMatching(/authentication failed/)])
    const statements = await dba.expect<{ grantStatements: { admin: string[]; readOnly: string[] } }>(
      'GET',
      '/v1/engines/mariadb?username=somebody',
    )
    expect(statements.grantStatements.readOnly.join('\n')).toContain('somebody')
  })

  test('a deleted instance keeps its name until it is purged', async () => {
    await dba.expect('DELETE', '/v1/instances/behind-ssh')
    const again = await dba.send('POST', '/v1/instances', {
      kind: 'external',
      name: 'behind-ssh',
      adminDataSource: postgres(),
    })
    expect(again).toMatchObject({ status: 409, body: { code: 'ALREADY_EXISTS' } })
    expect(await dba.expect('POST', '/v1/instances/behind-ssh:undelete', {})).toMatchObject({ state: 'AVAILABLE' })
    expect(await dba.expect('DELETE', '/v1/instances/behind-ssh?purge=true')).toMatchObject({ state: 'PURGED' })
    expect((await dba.send('GET', '/v1/instances/behind-ssh')).status).toBe(404)
  })
})
