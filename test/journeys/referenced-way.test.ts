import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { FakeVault } from '../support/fake-vault.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern, temporaryFolder } from '../support/running-postern.ts'
import { makeKey, SshdServer } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

const token = 'hvs.planted-token-of-the-way'
const password = 'planted-password-of-the-way'

/** A database behind an SSH server that asks for a client certificate: every secret of the way to it lives in Vault. */
describeWith(['psql', 'openssl', 'sshd'], 'a way whose secrets live elsewhere', () => {
  let authority: TestAuthority
  let sshd: SshdServer
  let upstream: UpstreamPostgres
  let postern: RunningPostern
  let admin: ControlPlane
  let folder: string
  let planted: string[]
  let target: Parameters<typeof psql>[0]
  const vault = new FakeVault()

  beforeAll(async () => {
    folder = temporaryFolder('referenced-way-')
    authority = createTestAuthority('way authority')
    const client = authority.issue(['postern'])
    let vaultUrl: string
    ;[postern, upstream, sshd, vaultUrl] = await Promise.all([
      startPostern(),
      startUpstreamPostgres({
        tls: authority.issue(['127.0.0.1']),
        clientCaPem: authority.caPem,
        hba: ['hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca'],
      }),
      SshdServer.start({ settings: ['AddressFamily inet'] }),
      vault.start(),
    ])
    const superuser = await upstream.superuser()
    await superuser.query(`create role postern_admin login createrole password '${password}'`)
    await superuser.end()
    const secret = { PASSWORD: password, SSH_KEY: sshd.clientKey, TLS_KEY: client.privateKeyPem }
    vault.secrets.set('secret/way', [secret])
    vault.addToken(token, ['secret/data/way'])
    planted = [token, password, ...[sshd.clientKey, client.privateKeyPem].map((key) => key.split('\n')[1] ?? '')]
    const inVault = (key: string) => ({
      source: 'vault_kv',
      url: vaultUrl,
      auth: { method: 'token', token: { from: 'literal', value: token } },
      engineName: 'secret',
      path: 'way',
      key,
    })
    admin = await postern.asAdmin()
    await admin.expect('POST', '/v1/instances', {
      kind: 'external',
      name: 'inner-db',
      adminDataSource: {
        host: '127.0.0.1',
        port: upstream.port,
        username: 'postern_admin',
        tlsMode: 'verify-full',
        tlsCa: authority.caPem,
        tlsClientCertificate: client.certificateChainPem,
        ssh: [sshd.hop()],
        externalSecrets: {
          password: inVault('PASSWORD'),
          tlsClientKey: inVault('TLS_KEY'),
          'ssh.0.privateKey': inVault('SSH_KEY'),
        },
      },
    })
  }, 60_000)
  afterAll(async () => {
    await Promise.all([postern?.stop(), upstream?.stop(), sshd?.stop(), vault.stop()])
    authority?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  test('is gone by the connection test and by a person’s session, and the manager is asked once by each process', async () => {
    const { stages } = await admin.expect<{ stages: { stage: string; ok: boolean; secrets?: object[] }[] }>(
      'POST',
      '/v1/instances/inner-db:testConnection',
    )
    expect(
      stages.every(({ ok }) => ok),
      JSON.stringify(stages),
    ).toBe(true)
    expect(stages[0]?.secrets).toHaveLength(3)
    const created = await admin.createServicePrincipal('inner report')
    const application = await postern.asServicePrincipal(created.clientId, created.clientSecret)
    await admin.bindPostgresRole('inner-db', created.clientId)
    const login = {
      user: created.clientId,
      password: await application.mintCredential('inner-db'),
      database: 'postgres',
    }
    target = postern.libpqTarget({ gatewayHost: 'inner-db.postern.localhost' }, login)
    for (let session = 0; session < 5; session += 1) {
      expect(await psql(target, 'select session_user')).toMatchObject({ code: 0, stdout: `${created.clientId}\n` })
    }
    expect(vault.requests.filter((request) => request === 'GET /v1/secret/data/way')).toHaveLength(2)
  })

  test('goes on when the key of the SSH server is exchanged: a refused key is fetched anew, and no session fails', async () => {
    const { text } = makeKey(join(folder, 'next'), 'ed25519')
    const [secret] = vault.secrets.get('secret/way') ?? []
    vault.secrets.set('secret/way', [{ ...secret, SSH_KEY: text }])
    sshd.authorizeOnly(readFileSync(join(folder, 'next.pub'), 'utf8'))
    sshd.killSessions()
    expect(await psql(target, 'select 1')).toMatchObject({ code: 0 })
    expect(await admin.expect('POST', '/v1/instances/inner-db:testConnection')).toMatchObject({ ok: true })
  })

  test('leaves none of them in answers, logs or audit records', async () => {
    const said = [
      postern.logs(),
      JSON.stringify(await admin.expect('GET', '/v1/instances/inner-db')),
      JSON.stringify(await admin.expect('GET', '/v1/auditEvents?pageSize=200')),
    ].join('\n')
    expect(planted.filter((secret) => said.includes(secret))).toEqual([])
  })
})
