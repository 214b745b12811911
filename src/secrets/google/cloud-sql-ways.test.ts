import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FakeCloudSql, type FakeInstance } from '../../../test/support/fake-cloud-sql.ts'
import { describeWith } from '../../../test/support/requirements.ts'
import { testDialer } from '../../../test/support/test-dialer.ts'
import { testRoute } from '../../../test/support/test-route.ts'
import { Secret } from '../../base/secret.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import { dial } from '../../dialer/dial.ts'
import { IamLogins } from '../iam-logins.ts'
import { CLOSED_POLICY, type OperatorPolicy } from '../operator-policy.ts'

const NAME = 'shop-prod:europe-west3:orders'
const EMAIL = 'bytebase@shop-prod.iam.gserviceaccount.com'
const USER = 'bytebase@shop-prod.iam'
const ADDRESS = '127.0.41.7'
const CALLS = [
  'POST /token',
  'GET /sql/v1beta4/projects/shop-prod/instances/orders/connectSettings',
  'POST /sql/v1beta4/projects/shop-prod/instances/orders:generateEphemeralCert',
]

describeWith(['openssl'], 'the way to an instance of Cloud SQL', () => {
  let google: FakeCloudSql
  let echo: Server
  let instance: FakeInstance
  let nowMs: number
  let serviceAccount: Secret

  beforeEach(async () => {
    google = new FakeCloudSql()
    await google.start()
    echo = createServer((socket) => void socket.on('error', () => undefined).pipe(socket))
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    instance = {
      engine: 'postgres',
      backendPort: (echo.address() as AddressInfo).port,
      address: ADDRESS,
      users: new Map([[EMAIL, USER]]),
      flags: new Map([['cloudsql.iam_authentication', 'on']]),
    }
    await google.addInstance(NAME, instance)
    serviceAccount = new Secret(google.keyJson(EMAIL))
    nowMs = Date.now()
  })
  afterEach(async () => {
    await google.stop()
    echo.close()
  })

  function logins(policy: Partial<OperatorPolicy> = {}): IamLogins {
    const own = { googleTokenEndpoint: google.tokenUri, cloudSqlAdminEndpoint: google.origin }
    const clock = { now: () => new Date(nowMs) }
    return new IamLogins({
      dialer: testDialer(),
      policy: { ...CLOSED_POLICY, ...own, ...policy },
      clock,
      timeoutMs: 5_000,
    })
  }
  function route(change: Partial<DataSourceRoute> = {}): DataSourceRoute {
    return testRoute(5432, { host: NAME, username: USER, loginMethod: 'gcp_iam', tlsMode: 'verify-full', ...change })
  }
  async function reach(iam: IamLogins, change: Partial<DataSourceRoute> = {}, secrets: DataSourceSecrets = {}) {
    const dialer = testDialer({ cloudLogins: iam })
    const socket = await dial(route(change), { ...dialer, secrets: { serviceAccount, ...secrets }, timeoutMs: 5_000 })
    // Until an answer comes the server may not have seen the certificate.
    await new Promise<void>((resolve) => {
      socket.setHandlers({ onData: () => resolve(), onDrain() {}, onEnd() {}, onClose: () => resolve() })
      socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
    })
    socket.destroy()
  }
  const failure = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'reached',
      (thrown: unknown) => thrown,
    )

  it('is asked of Google once, remembered, and asked anew ahead of the end of its certificate', async () => {
    const iam = logins()
    await Promise.all(Array.from({ length: 8 }, () => reach(iam)))
    expect(google.requests.toSorted()).toEqual(CALLS.toSorted())
    nowMs += 24 * 3_600_000 - 3 * 60_000
    await reach(iam)
    await expect.poll(() => google.requests.length).toBe(6)
  })

  it('carries the token of the identity in the certificate only where the identity itself logs in', async () => {
    const iam = logins()
    await reach(iam)
    const { token, username, description } = await iam.logIn(route(), { serviceAccount })
    await reach(iam, {}, { password: token })
    await expect.poll(() => google.shown).toEqual(['ephemeral', EMAIL])
    expect({ username, description }).toEqual({
      username: USER,
      description: `Google IAM token for ${USER} at ${NAME}`,
    })
  })

  it('ends at a server whose certificate is for another instance', async () => {
    google.impersonate(NAME, 'shop-prod:another', false)
    expect(await failure(reach(logins()))).toMatchObject({ code: 'UPSTREAM_TLS_WRONG_NAME' })
  })

  it('ends at a server of another authority, which is shown no certificate', async () => {
    google.impersonate(NAME, 'shop-prod:orders', true)
    expect(await failure(reach(logins()))).toMatchObject({ code: expect.stringMatching(/^UPSTREAM_TLS_/) })
    google.impersonate(NAME, 'shop-prod:orders', false)
    await reach(logins())
    expect(google.shown).toEqual(['ephemeral'])
  })

  it('is asked for again after it led nowhere, yet not for each attempt', async () => {
    const iam = logins()
    await reach(iam)
    google.impersonate(NAME, 'shop-prod:another', false)
    for (let attempt = 0; attempt < 5; attempt += 1) await failure(reach(iam))
    expect(google.requests).toHaveLength(3)
    nowMs += 31_000
    await failure(reach(iam))
    google.impersonate(NAME, 'shop-prod:orders', false)
    await reach(iam)
    expect(google.requests).toHaveLength(6)
  })

  it.each<[string, Record<string, unknown>, Partial<DataSourceRoute>, object]>([
    [
      'the metadata server',
      { ipAddresses: [{ type: 'PRIMARY', ipAddress: '169.254.169.254' }] },
      {},
      { code: 'UPSTREAM_ADDRESS_REFUSED' },
    ],
    ['another region', { region: 'us-east1' }, {}, { code: 'INVALID_ARGUMENT', detail: { field: 'host' } }],
    ['another engine', { databaseVersion: 'MYSQL_8_4' }, {}, { code: 'INVALID_ARGUMENT', detail: { field: 'engine' } }],
    ['no authority', { serverCaCert: {} }, {}, { code: 'SECRET_SOURCE_INVALID' }],
    [
      'no private address',
      {},
      { fields: { cloudSqlIpType: 'private' } },
      { code: 'INVALID_ARGUMENT', hint: 'Set cloudSqlIpType to public.', detail: { field: 'cloudSqlIpType' } },
    ],
  ])('ends where Google names %s', async (_, settings, change, expected) => {
    instance.settings = settings
    expect(await failure(reach(logins(), change))).toMatchObject(expected)
  })

  it.each([
    ['private', { ipAddresses: [{ type: 'PRIVATE', ipAddress: ADDRESS }] }, ADDRESS],
    [
      'psc',
      {
        ipAddresses: [],
        dnsNames: [{ name: 'orders.psc.test.', connectionType: 'PRIVATE_SERVICE_CONNECT', dnsScope: 'INSTANCE' }],
      },
      'orders.psc.test',
    ],
    ['psc', { ipAddresses: [], pscEnabled: true, dnsName: 'older.psc.test.' }, 'older.psc.test'],
  ])('leads to the %s address where that is asked for', async (cloudSqlIpType, settings, host) => {
    instance.settings = settings
    const way = await logins().wayTo(route({ fields: { cloudSqlIpType } }), { serviceAccount })
    expect(way).toMatchObject({
      host,
      port: 3307,
      commonName: 'shop-prod:orders',
      tls: { verify: 'chain', minVersion: 'TLSv1.3' },
    })
  })

  it('to an instance of a shared authority is verified by the name that Google tells', async () => {
    instance.settings = { serverCaMode: 'GOOGLE_MANAGED_CAS_CA', dnsName: 'orders.sql.test.' }
    const way = await logins().wayTo(route(), { serviceAccount })
    expect(way).toMatchObject({ commonName: undefined, tls: { verify: 'full', serverName: 'orders.sql.test' } })
  })

  it.each<[number, object, object]>([
    [
      403,
      { error: { errors: [{ reason: 'accessNotConfigured' }] } },
      { code: 'SECRET_SOURCE_DENIED', message: expect.stringContaining('not enabled') },
    ],
    [
      403,
      { error: { status: 'PERMISSION_DENIED' } },
      { code: 'SECRET_SOURCE_DENIED', hint: expect.stringContaining('roles/cloudsql.client') },
    ],
    [404, {}, { code: 'SECRET_SOURCE_NOT_FOUND', message: expect.stringContaining('shop-prod:orders') }],
    [401, {}, { code: 'SECRET_SOURCE_DENIED' }],
    [429, {}, { code: 'SECRET_SOURCE_UNAVAILABLE' }],
    [503, {}, { code: 'SECRET_SOURCE_UNAVAILABLE' }],
    [302, {}, { code: 'SECRET_SOURCE_INVALID' }],
  ])('says what to do when Google answers %i', async (status, body, expected) => {
    google.failWith = { status, body }
    expect(await failure(reach(logins()))).toMatchObject(expected)
  })

  it('[D1-074] [D1-080] is found with the key file of this node where the operator lists the instance, and nowhere else', async () => {
    const GOOGLE_APPLICATION_CREDENTIALS = join(import.meta.dirname, 'cloud-sql-ways.test.ts')
    const environment = { GOOGLE_APPLICATION_CREDENTIALS }
    const own = { serviceAccount: undefined as unknown as Secret }
    expect(await failure(reach(logins({ environment }), {}, own))).toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      hint: expect.stringContaining('ambientIamHosts'),
    })
    expect(google.requests).toEqual([])
    const listed = {
      ambientIamHosts: ['shop-prod:*'],
      environment: { GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/key.json' },
    }
    expect(await failure(reach(logins(listed), {}, own))).toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
      message: expect.stringContaining('/nowhere/key.json'),
      hint: expect.stringContaining('mounted'),
    })
  })

  it('is not asked for with a key that names a token endpoint of its own', async () => {
    const key = new Secret(google.keyJson(EMAIL, { token_uri: 'https://collector.test/token' }))
    expect(await failure(reach(logins(), {}, { serviceAccount: key }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(google.requests).toEqual([])
  })

  it.each([
    ['off', 'is not on'],
    ['on', 'is on. Check'],
  ])('tells of a refused login whether the flag of the instance is %s', async (value, text) => {
    instance.flags.set('cloudsql.iam_authentication', value)
    const login = await logins().logIn(route(), { serviceAccount })
    expect(await login.refusalHint()).toContain(
      `The flag cloudsql.iam_authentication of the instance ${text}`.replace(' of the instance is on.', ' is on.'),
    )
    google.failWith = { status: 403, body: {} }
    expect(await login.refusalHint()).toContain('Check that the flag')
  })
})
