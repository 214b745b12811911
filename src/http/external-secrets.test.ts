import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { FakeVault } from '../../test/support/fake-vault.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'
import { createTestAuthority, type TestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import { ConnectionReport } from '../contract/connection-reports.ts'
import { DataSource } from '../contract/data-sources.ts'
import { CLOSED_POLICY } from '../secrets/operator-policy.ts'
import { SecretResolver } from '../secrets/secret-resolver.ts'

/** What the tests look at in answers. */
interface Body {
  readonly code?: string
  readonly id?: string
  readonly username?: string
  readonly externalSecrets?: Readonly<Record<string, object>>
  readonly dataSources?: readonly { readonly externalSecrets: object }[]
  readonly auditEvents?: readonly { readonly detail: object }[]
}

const password = 'kept-in-vault-4711'
const vaultToken = 'hvs.planted-vault-token'
const secretId = 'planted-secret-id'

describe('a data source whose secrets live elsewhere', () => {
  let postgres: EmbeddedPostgres
  let upstream: UpstreamPostgres
  let authority: TestAuthority
  let fixture: HttpFixture
  let headers: Record<string, string>
  let vaultUrl: string
  let otherVaultUrl: string
  const vault = new FakeVault()
  const otherVault = new FakeVault()
  /** What the clock of the secrets is ahead. */
  let aheadMs = 0

  beforeAll(async () => {
    ;[postgres, upstream, vaultUrl, otherVaultUrl] = await Promise.all([
      startEmbeddedPostgres(),
      startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] }),
      vault.start(),
      otherVault.start(),
    ])
    const superuser = await upstream.superuser()
    await superuser.query(`create role postern login createrole createdb password '${password}'`)
    await superuser.end()
    authority = createTestAuthority('external-secrets.test')
    vault.secrets.set('secret/bytebase', [{ DB_PASSWORD: password, DB_USER: 'postern' }])
    vault.addToken(vaultToken, ['secret/data/bytebase'])
    vault.approles.set('approle/postern', { secretId, policy: { paths: ['secret/data/bytebase'] }, ttlSeconds: 3600 })
    const dialer = testDialer()
    const secretReferences = new SecretResolver({
      dialer,
      policy: CLOSED_POLICY,
      clock: { now: () => new Date(Date.now() + aheadMs) },
      ttlMs: 60_000,
      staleMs: 600_000,
      timeoutMs: 2_000,
    })
    fixture = await startHttpFixture(await postgres.freshStore(), {}, { dialer: { ...dialer, secretReferences } })
    headers = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'dba')))
  }, 60_000)
  afterAll(async () => {
    await fixture?.close()
    await Promise.all([upstream?.stop(), postgres?.stop(), vault.stop(), otherVault.stop()])
    authority?.remove()
  })

  const inVault = (key = 'DB_PASSWORD', more: object = {}) => ({
    source: 'vault_kv',
    url: vaultUrl,
    auth: { method: 'token', token: { from: 'literal', value: vaultToken } },
    engineName: 'secret',
    path: 'bytebase',
    key,
    ...more,
  })
  const place = () => ({ host: '127.0.0.1', port: upstream.port, username: 'postern', tlsMode: 'disable' })
  const send = async (method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object) => {
    const answer = await fixture.app.inject({ method, url, headers, ...(payload && { payload }) })
    for (const planted of [password, vaultToken, secretId]) expect(answer.body).not.toContain(planted)
    return { status: answer.statusCode, body: answer.json<Body>() }
  }
  const create = async (dataSource: object, more: object = {}) => {
    const name = `i-${randomUUID()}`
    const { status, body } = await send('POST', '/v1/instances', {
      kind: 'external',
      name,
      adminDataSource: { ...place(), ...dataSource },
      ...more,
    })
    return { name, status, body, url: `/v1/instances/${name}/dataSources/admin` }
  }
  const created = async (dataSource: object) => {
    const made = await create(dataSource)
    expect(made.body).toMatchObject({ name: made.name })
    return made
  }
  const test = async (dataSource: object) => {
    const { body } = await send('POST', '/v1/instances:testConnection', { dataSource: { ...place(), ...dataSource } })
    return ConnectionReport.parse(body)
  }
  const failureOf = ({ stages }: ConnectionReport) => stages.find(({ ok }) => !ok)

  it('is stored with where they live, shown without what opens them, and reached', async () => {
    const { url } = await created({ externalSecrets: { password: inVault() } })
    const source = DataSource.parse((await send('GET', url)).body)
    expect(source).toMatchObject({ passwordSet: true, tested: true, username: 'postern' })
    expect(source.externalSecrets).toEqual({
      password: {
        source: 'vault_kv',
        url: vaultUrl,
        auth: { method: 'token', token: { from: 'literal' } },
        engineName: 'secret',
        path: 'bytebase',
        key: 'DB_PASSWORD',
      },
    })
    expect((await send('POST', `${url}:testConnection`)).body).toMatchObject({ ok: true })
  })

  it('may take the user name from a manager too, and then has none of its own', async () => {
    const { url } = await created({
      username: '',
      externalSecrets: { username: inVault('DB_USER'), password: inVault() },
    })
    const { body } = await send('GET', url)
    expect([body.username, Object.keys(body.externalSecrets ?? {}).toSorted()]).toEqual(['', ['password', 'username']])
    expect((await send('POST', `${url}:testConnection`)).body).toMatchObject({ ok: true, user: 'postern' })
  })

  it('tells in the test which manager was asked, whether it was, and which version it gave', async () => {
    const auth = { method: 'app_role', roleId: 'postern', secretId: { from: 'literal', value: secretId } }
    const dataSource = { externalSecrets: { password: inVault('DB_PASSWORD', { auth }) } }
    const [first, second] = [await test(dataSource), await test(dataSource)]
    const stageOf = ({ stages }: ConnectionReport) => stages.find(({ stage }) => stage === 'secret')?.secrets
    const told = { field: 'password', source: 'vault_kv', host: new URL(vaultUrl).host, version: '1' }
    expect(stageOf(first)).toEqual([{ ...told, origin: 'fetched', elapsedMs: expect.any(Number) }])
    expect(stageOf(second)).toEqual([{ ...told, origin: 'cached', elapsedMs: expect.any(Number) }])
    expect(second.ok).toBe(true)
  })

  it('goes on for ten minutes while its manager is down, then fails clearly, and works again once it is back', async () => {
    const { url } = await created({ externalSecrets: { password: inVault('DB_PASSWORD', { version: 1 }) } })
    const attempt = async () => {
      const report = ConnectionReport.parse((await send('POST', `${url}:testConnection`)).body)
      const [stage] = report.stages
      return { ok: report.ok, stages: report.stages.length, origin: stage?.secrets?.[0]?.origin, code: stage?.code }
    }
    const works = (origin: string) => expect.objectContaining({ ok: true, origin })
    aheadMs += 3_600_000
    expect(await attempt()).toEqual(works('fetched'))
    vault.isSilent = true
    aheadMs += 61_000
    // One of them waits for it, and the rest for nothing: it is asked again a few seconds later.
    for (let session = 0; session < 5; session += 1) expect(await attempt()).toEqual(works('stale'))
    expect(vault.unanswered).toHaveLength(1)
    vault.isSilent = false
    vault.sealed = true
    for (let minute = 2; minute < 10; minute += 1) {
      expect(await attempt()).toEqual(works('stale'))
      aheadMs += 60_000
    }
    aheadMs += 60_000
    expect(await attempt()).toEqual({ ok: false, stages: 1, origin: undefined, code: 'SECRET_SOURCE_UNAVAILABLE' })
    vault.sealed = false
    expect(await attempt()).toEqual(works('fetched'))
  })

  it('fails its test at the secret, and is told what to fix', async () => {
    const failures = await Promise.all(
      [
        inVault('DB_PASSWORT'),
        inVault('DB_PASSWORD', { path: 'other' }),
        inVault('DB_PASSWORD', { auth: { method: 'token', token: { from: 'environment', name: 'VAULT_TOKEN' } } }),
        { source: 'endpoint', url: 'http://169.254.169.254/latest/meta-data' },
        { source: 'aws_secrets_manager', name: 'bytebase', region: 'us-east-1' },
      ].map(async (reference) => failureOf(await test({ externalSecrets: { password: reference } }))),
    )
    expect(failures.map((failure) => [failure?.stage, failure?.code])).toEqual([
      ['secret', 'SECRET_SOURCE_NOT_FOUND'],
      ['secret', 'SECRET_SOURCE_DENIED'],
      ['secret', 'SECRET_SOURCE_REFUSED'],
      ['secret', 'SECRET_SOURCE_REFUSED'],
      ['secret', 'SECRET_SOURCE_REFUSED'],
    ])
    expect(failures.map((failure) => failure?.action)).toEqual([
      expect.stringContaining('DB_PASSWORD, DB_USER'),
      expect.stringMatching(/read|secret\/data\/other/),
      expect.stringContaining('secretEnvironmentNames'),
      expect.any(String),
      expect.stringContaining('ambientSecretNames'),
    ])
  })

  it('[D1-148] takes {{https://…}} in any secret field as the endpoint that has it', async () => {
    for (const refused of ['{{http://169.254.169.254/latest/meta-data}}', '{{http://vault.test/plain}}']) {
      expect(failureOf(await test({ password: refused }))).toMatchObject({
        stage: 'secret',
        code: 'SECRET_SOURCE_REFUSED',
      })
    }
    for (const broken of ['{{ftp://vault.test/x}}', '{{nothing}}', '{{https://me:word@vault.test/x}}']) {
      const { status, body } = await create({ password: broken })
      expect([status, body.code]).toEqual([400, 'INVALID_ARGUMENT'])
    }
    const { body } = await create({ password: '{{https://secrets.test/mydbkey:access}}' }, { skipTest: true })
    expect(body.dataSources?.[0]?.externalSecrets).toEqual({
      password: { source: 'endpoint', url: 'https://secrets.test/mydbkey:access' },
    })
  })

  it('refuses what contradicts itself or would never be used', async () => {
    const ssh = [{ host: 'bastion.test', username: 'jump', auth: 'private_key', generatedKeyId: randomUUID() }]
    const { body: key } = await send('POST', '/v1/sshKeys', {})
    const generated = [{ ...ssh[0], generatedKeyId: key.id }]
    const refused: [object, RegExp][] = [
      [{ password: 'x', externalSecrets: { password: inVault() } }, /both/],
      [{ externalSecrets: { username: inVault('DB_USER'), password: inVault() } }, /username and externalSecrets/],
      [{ externalSecrets: { accessToken: inVault() } }, /accessToken has no effect/],
      [{ externalSecrets: { 'ssh.0.password': inVault() } }, /ssh\.0\.password has no effect/],
      [{ externalSecrets: { 'ssh.0.privateKey': inVault() }, ssh: generated }, /ssh\.0\.privateKey has no effect/],
      [{ externalSecrets: { password: { ...inVault(), url: 'https://u:p@vault.test' } } }, /user/],
      [{ externalSecrets: { password: { ...inVault(), more: 1 } } }, /more/],
    ]
    for (const [dataSource, message] of refused) {
      const { status, body } = await create(dataSource, { skipTest: true })
      expect([status, body.code], JSON.stringify(body)).toEqual([400, 'INVALID_ARGUMENT'])
      expect(JSON.stringify(body)).toMatch(message)
    }
  })

  it('does not read a reference as the key that it stands for', async () => {
    const dataSource = {
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      tlsClientCertificate: authority.issue(['client.test']).certificateChainPem,
      ssh: [{ host: 'bastion.test', username: 'jump', auth: 'private_key' }],
      externalSecrets: { password: inVault(), tlsClientKey: inVault(), 'ssh.0.privateKey': inVault() },
    }
    const { status, body } = await create(dataSource, { skipTest: true })
    expect([status, body.dataSources?.[0]], JSON.stringify(body)).toMatchObject([
      200,
      { tlsClientKeySet: true, ssh: [{ privateKeySet: true, publicKey: null }] },
    ])
  })

  it.each<[string, (other: { url: string }) => object]>([
    ['its host', () => ({ host: 'localhost' })],
    ['its port', () => ({ port: 1 })],
    ['its user', () => ({ username: 'postgres' })],
    ['its TLS mode', () => ({ tlsMode: 'require' })],
    ['a parameter', () => ({ extraParameters: { statement_timeout: '1000' } })],
    ['an SSH server', () => ({ ssh: [{ host: 'h.test', username: 'u', auth: 'password', password: 'x' }] })],
    [
      'the manager of another secret',
      ({ url }) => ({ username: '', externalSecrets: { username: { source: 'endpoint', url } } }),
    ],
  ])('gives its stored login to nobody who changes %s', async (_, change) => {
    const { url } = await created({ externalSecrets: { password: inVault() } })
    const { status, body } = await send('PATCH', url, { ...change({ url: otherVaultUrl }), skipTest: true })
    expect([status, body.code], JSON.stringify(body)).toEqual([400, 'SECRET_REQUIRED'])
    const tested = await send('POST', `${url}:testConnection`, { dataSource: change({ url: otherVaultUrl }) })
    expect([tested.status, tested.body.code]).toEqual([400, 'SECRET_REQUIRED'])
    expect(otherVault.requests).toEqual([])
  })

  it('does not show the login of its manager to another manager', async () => {
    const { url } = await created({ externalSecrets: { password: inVault() } })
    const moved = { ...inVault(), url: otherVaultUrl, auth: { method: 'token', token: { from: 'literal' } } }
    const { status } = await send('PATCH', url, { externalSecrets: { password: moved }, skipTest: true })
    expect(status).toBe(400)
    expect(otherVault.requests).toEqual([])
  })

  it('goes back to a secret of its own, or to none', async () => {
    const { url } = await created({ externalSecrets: { password: inVault() } })
    await send('PATCH', url, { password })
    expect((await send('GET', url)).body).toMatchObject({ passwordSet: true, externalSecrets: {}, tested: true })
    await send('PATCH', url, { externalSecrets: { password: inVault() } })
    expect(Object.keys((await send('GET', url)).body.externalSecrets ?? {})).toEqual(['password'])
    await send('PATCH', url, { externalSecrets: { password: null }, skipTest: true })
    expect((await send('GET', url)).body).toMatchObject({ passwordSet: false, externalSecrets: {} })
  })

  it('is audited with the kind of manager alone', async () => {
    await created({ externalSecrets: { password: inVault() } })
    const { body } = await send('GET', '/v1/auditEvents?action=dataSource.create&pageSize=1')
    expect(body.auditEvents?.[0]?.detail).toMatchObject({ externalSecrets: ['password=vault_kv'] })
  })
})
