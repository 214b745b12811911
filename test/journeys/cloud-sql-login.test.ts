import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AuthTypes, Connector, IpAddressTypes } from '@google-cloud/cloud-sql-connector'
import { OAuth2Client } from 'google-auth-library'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type DebianPostgres, startDebianPostgres } from '../support/debian-postgres.ts'
import { FakeCloudSql, type FakeInstance } from '../support/fake-cloud-sql.ts'
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { runProgram } from '../support/running-program.ts'
import { type RunningPostern, startPostern, temporaryFolder } from '../support/running-postern.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'

interface Report {
  readonly ok: boolean
  readonly user?: string
  readonly stages: readonly {
    readonly stage: string
    readonly ok: boolean
    readonly code?: string
    readonly message?: string
    readonly action?: string
    readonly detail?: Readonly<Record<string, unknown>>
  }[]
}

const launcher = join(import.meta.dirname, '../../bin/postern')
const POSTGRES = 'shop-prod:europe-west3:orders'
const MYSQL = 'shop-prod:europe-west3:carts'
const EMAIL = 'bytebase@shop-prod.iam.gserviceaccount.com'
const STRANGER = 'stranger@shop-prod.iam.gserviceaccount.com'

/**
 * Instances of Cloud SQL whose databases let users of identities in by a certificate of Google's alone: the Admin API and the server
 * side are a strict fake, the databases behind are real ones.
 */
describeWith(['psql', 'pgbench', 'openssl', 'mariadbd'], 'an instance of Cloud SQL', () => {
  let authority: TestAuthority
  let google: FakeCloudSql
  let postgres: DebianPostgres
  let mariadb: MariadbServer
  let orders: FakeInstance
  let carts: FakeInstance
  let postern: RunningPostern
  let admin: ControlPlane
  let folder: string
  let key: string

  beforeAll(async () => {
    authority = createTestAuthority('backend authority')
    google = new FakeCloudSql()
    await google.start()
    const trusted = 'host all "bytebase@shop-prod.iam" 127.0.0.1/32 trust'
    const hba = [trusted, 'host all all 127.0.0.1/32 scram-sha-256']
    ;[postgres, mariadb] = await Promise.all([
      startDebianPostgres({ tls: authority.issue(['localhost']), hba }),
      startMariadb(),
    ])
    const superuser = await postgres.superuser()
    await superuser.query('create role "bytebase@shop-prod.iam" login createrole createdb')
    await superuser.query('create database orders owner "bytebase@shop-prod.iam"')
    await superuser.end()
    await mariadb.run('create database shop', `create user bytebase@'%'`, `grant all on *.* to bytebase@'%'`)
    const on = (name: string) => new Map([[name, 'on']])
    orders = {
      engine: 'postgres',
      backendPort: postgres.port ?? 0,
      address: '127.0.42.1',
      users: new Map([[EMAIL, 'bytebase@shop-prod.iam']]),
      flags: on('cloudsql.iam_authentication'),
    }
    carts = {
      engine: 'mysql',
      backendPort: mariadb.port,
      address: '127.0.42.2',
      users: new Map([[EMAIL, 'bytebase']]),
      flags: on('cloudsql_iam_authentication'),
    }
    await Promise.all([google.addInstance(POSTGRES, orders), google.addInstance(MYSQL, carts)])
    key = google.keyJson(EMAIL)
    folder = temporaryFolder('cloud-sql-')
    writeFileSync(join(folder, 'key.json'), key, { mode: 0o644 })
    postern = await startPostern({
      flags: ['--google-token-endpoint', google.tokenUri, '--cloud-sql-admin-endpoint', google.origin].concat([
        '--ambient-iam-hosts',
        MYSQL,
      ]),
      env: { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'key.json') },
    })
    admin = await postern.asAdmin()
  }, 120_000)
  afterAll(async () => {
    await postern?.stop()
    await Promise.all([postgres?.stop(), mariadb?.stop(), google?.stop()])
    authority?.remove()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  const source = (change: Record<string, unknown> = {}) => ({
    host: POSTGRES,
    database: 'orders',
    username: 'bytebase',
    loginMethod: 'gcp_iam',
    serviceAccount: key,
    ...change,
  })
  const withoutKey = (change: Record<string, unknown>) => {
    const { serviceAccount: _, ...rest } = source(change)
    return rest
  }
  const tested = (dataSource: Record<string, unknown>, engine = 'postgres') =>
    admin.expect<Report>('POST', '/v1/instances:testConnection', { engine, dataSource })

  test('[D1-066] [D1-079] a person’s credential opens a session on an instance that has no password anywhere', async () => {
    const created = await admin.createServicePrincipal('order report')
    const application = await postern.asServicePrincipal(created.clientId, created.clientSecret)
    const instance = await admin.expect('POST', '/v1/instances', {
      kind: 'external',
      name: 'orders-db',
      adminDataSource: source(),
    })
    expect(instance).toMatchObject({
      state: 'AVAILABLE',
      dataSources: [{ loginMethod: 'gcp_iam', passwordSet: false, serviceAccountSet: true, username: 'bytebase' }],
    })
    await admin.bindPostgresRole('orders-db', created.clientId)
    const login = {
      user: created.clientId,
      password: await application.mintCredential('orders-db'),
      database: 'orders',
    }
    const target = postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, login)
    expect(await psql(target, 'select session_user, current_database()')).toMatchObject({
      code: 0,
      stdout: `${created.clientId}|orders\n`,
    })
  })

  const spellings = ['bytebase', EMAIL, 'bytebase@shop-prod.iam']
  test.each(spellings)(
    '[D1-082] [D1-083] the connection name is the host, and the user may be given as %s',
    async (username) => {
      const { ok, user, stages } = await tested(source({ username }))
      expect({ ok, user }, JSON.stringify(stages)).toEqual({ ok: true, user: 'bytebase@shop-prod.iam' })
      expect(stages.map(({ stage }) => stage)).toEqual([
        'secret',
        'name',
        'tcp',
        'tls',
        'login',
        'version',
        'privileges',
      ])
      expect(stages[0]?.detail).toMatchObject({ token: `Google IAM token for bytebase@shop-prod.iam at ${POSTGRES}` })
    },
  )

  test('an instance that asks for a password beside the certificate is given the token', async () => {
    orders.asksPassword = true
    expect(await tested(source())).toMatchObject({ ok: true })
    orders.asksPassword = false
  })

  test('[D1-079] [D1-081] MySQL is logged in to with the key file that Postern was started with, where its operator lists it', async () => {
    const ofNode = withoutKey({ host: MYSQL, database: 'shop', username: EMAIL })
    const { ok, user, stages } = await tested(ofNode, 'mysql')
    expect({ ok, user }, JSON.stringify(stages)).toEqual({ ok: true, user: 'bytebase@%' })
    const instance = { kind: 'external', name: 'carts-db', engine: 'mysql', adminDataSource: ofNode }
    expect(await admin.expect('POST', '/v1/instances', instance)).toMatchObject({ state: 'AVAILABLE' })
    const elsewhere = await tested(withoutKey({}))
    expect(elsewhere.stages).toEqual([expect.objectContaining({ stage: 'secret', code: 'SECRET_SOURCE_REFUSED' })])
    expect(elsewhere.stages[0]?.action).toContain('ambientIamHosts')
  })

  test.each([
    ['postgres', 'cloudsql.iam_authentication'],
    ['mysql', 'cloudsql_iam_authentication'],
  ] as const)('[D1-075] on %s a missing flag %s is found to be why a login is refused', async (engine, flag) => {
    const instance = engine === 'postgres' ? orders : carts
    const there = engine === 'postgres' ? source() : source({ host: MYSQL, database: 'shop' })
    instance.flags.set(flag, 'off')
    const failed = (await tested(there, engine)).stages.at(-1)
    expect(failed).toMatchObject({ stage: 'login', code: 'UPSTREAM_AUTH_FAILED' })
    expect(failed?.action).toContain(`The flag ${flag} of the instance is not on`)
    instance.flags.set(flag, 'on')
  })

  test('nobody logs in as the user of another identity, and an SSH server is refused by name', async () => {
    const stranger = google.keyJson(STRANGER)
    const failed = (await tested(source({ serviceAccount: stranger }))).stages.at(-1)
    expect(failed).toMatchObject({ stage: 'login', code: 'UPSTREAM_AUTH_FAILED' })
    expect(failed?.action).toContain('gcloud sql users create bytebase@shop-prod.iam')
    const hop = { host: 'bastion.test', username: 'jump', auth: 'password', password: 'secret' }
    const { status, body } = await admin.send('POST', '/v1/instances:testConnection', {
      engine: 'postgres',
      dataSource: source({ ssh: [hop] }),
    })
    expect({ status, detail: body['detail'] }).toEqual({
      status: 400,
      detail: expect.stringMatching(/^ssh cannot be combined with login method gcp_iam/),
    })
  })

  test('the command line takes the key of the service account from a file', async () => {
    const words = `instance create by-hand --validate-only --host-name ${POSTGRES} --database orders --username bytebase`
    const args = [...`${words} --login-method gcp_iam --service-account-file`.split(' '), join(folder, 'key.json')]
    const { clientId, clientSecret } = await admin.createServicePrincipal('dba', 'dba')
    const env = {
      HOME: folder,
      POSTERN_HOST: postern.ready.httpUrl,
      POSTERN_CLIENT_ID: clientId,
      POSTERN_CLIENT_SECRET: clientSecret,
    }
    const end = await runProgram(launcher, args, { env })
    expect(end, end.stderr).toMatchObject({ code: 0 })
    expect(end.stdout).toContain(`Google IAM token for bytebase@shop-prod.iam at ${POSTGRES}`)
  })

  test('Google’s own connector finds the same way with the same fake', async () => {
    const auth = new OAuth2Client()
    auth.setCredentials({ access_token: google.adminToken(EMAIL), expiry_date: Date.now() + 3_600_000 })
    const connector = new Connector({ auth, sqlAdminAPIEndpoint: google.origin })
    const options = await connector.getOptions({
      instanceConnectionName: POSTGRES,
      ipType: IpAddressTypes.PUBLIC,
      authType: AuthTypes.PASSWORD,
    })
    const superuser = await postgres.superuser()
    await superuser.query(`create role native login password 'native'`)
    await superuser.end()
    const client = new pg.Client({ ...options, user: 'native', password: 'native', database: 'orders' })
    await client.connect()
    expect((await client.query('select session_user')).rows).toEqual([{ session_user: 'native' }])
    await client.end()
    connector.close()
  })

  test('a native Postgres role logs in with its own password, by a certificate that logs nobody in', async () => {
    await admin.expect('PATCH', '/v1/instances/orders-db', { nativeLoginEnabled: true })
    google.shown.length = 0
    const login = { user: 'native', password: 'native', database: 'orders' }
    const target = postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, login)
    expect(await psql(target, 'select session_user')).toMatchObject({ code: 0, stdout: 'native\n' })
    expect(new Set(google.shown)).toEqual(new Set(['ephemeral']))
    const wrong = postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, { ...login, password: 'x' })
    expect(await psql(wrong, 'select 1')).toMatchObject({ code: 2 })
  })

  test('neither keys nor tokens are in logs, audit or answers', async () => {
    const said = [
      postern.logs(),
      JSON.stringify(await admin.expect('GET', '/v1/auditEvents?pageSize=200')),
      JSON.stringify(await admin.expect('GET', '/v1/instances/orders-db')),
    ].join('\n')
    const { private_key: privateKey } = JSON.parse(key) as { private_key: string }
    for (const secret of [privateKey.split('\n')[1] ?? '', 'ya29.', 'BEGIN RSA', 'BEGIN PRIVATE']) {
      expect(said).not.toContain(secret)
    }
  })
})
