import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { localhostCertificate } from '../support/localhost-certificate.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

interface Report {
  readonly ok: boolean
  readonly stages: readonly { readonly stage: string; readonly ok: boolean; readonly code?: string }[]
}

const password = 'planted-7Hq2vLx9-password'

/** "Connect Your Database", as far as PostgreSQL goes: from an address and a password to a session through the gateway. */
describeWith(['psql'], 'connecting a database', () => {
  let postern: RunningPostern
  let upstream: UpstreamPostgres
  let admin: ControlPlane
  beforeAll(async () => {
    const { cert, key } = localhostCertificate
    const tls = { certificateChainPem: cert, privateKeyPem: key }
    const hba = ['hostssl all all 127.0.0.1/32 scram-sha-256']
    ;[postern, upstream] = await Promise.all([startPostern(), startUpstreamPostgres({ tls, hba })])
    const superuser = await upstream.superuser()
    await superuser.query(`create role postern_admin login createrole password '${password}'`)
    await superuser.query('create database shop')
    await superuser.end()
    admin = await postern.asAdmin()
  })
  afterAll(async () => {
    await Promise.all([postern?.stop(), upstream?.stop()])
  })

  const instance = (name: string, dataSource: object = {}) => ({
    kind: 'external',
    name,
    adminDataSource: {
      host: 'localhost',
      port: upstream.port,
      database: 'shop',
      username: 'postern_admin',
      password,
      tlsCa: localhostCertificate.cert,
      ...dataSource,
    },
  })
  const testConnection = async (dataSource: object) =>
    (await admin.send<Report>('POST', '/v1/instances?validateOnly=true', instance('tested', dataSource))).body
  const failureOf = ({ ok, stages }: Report) => (ok ? undefined : stages.find((stage) => !stage.ok))

  test('[D1-002] only a Workspace Admin or Workspace DBA may configure an instance', async () => {
    const as = async (role: string) => {
      const { clientId, clientSecret } = await admin.createServicePrincipal(`a ${role}`, role)
      return postern.asServicePrincipal(clientId, clientSecret)
    }
    const [member, dba] = [await as('member'), await as('dba')]
    expect((await dba.send('POST', '/v1/instances', instance('ledger'))).status).toBeLessThan(300)
    const refused = [
      await member.send('POST', '/v1/instances', instance('ledger2')),
      await member.send('POST', '/v1/instances?validateOnly=true', instance('ledger2')),
      await member.send('PATCH', '/v1/instances/ledger', { nativeLoginEnabled: false }),
      await member.send('DELETE', '/v1/instances/ledger'),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    expect(refused[0]?.body['detail']).toMatch(/Workspace Admin or Workspace DBA/)
    expect((await dba.send('DELETE', '/v1/instances/ledger')).status).toBeLessThan(300)
  })

  test('[D1-022] testing the connection goes stage by stage and stores nothing', async () => {
    const report = await testConnection({})
    expect(report.stages.map(({ stage, ok }) => [stage, ok])).toEqual(
      ['name', 'tcp', 'tls', 'login', 'version', 'privileges'].map((stage) => [stage, true]),
    )
    expect((await admin.send('GET', '/v1/instances/tested')).status).toBe(404)
  })

  test('[D1-023] an instance is created only when its test succeeds', async () => {
    const refused = await admin.send('POST', '/v1/instances', instance('unreached', { password: 'another' }))
    expect(refused.body['code']).toBe('UPSTREAM_AUTH_FAILED')
    expect((await admin.send('GET', '/v1/instances/unreached')).status).toBe(404)
    await admin.expect('POST', '/v1/instances', instance('reached'))
    expect(await admin.expect('GET', '/v1/instances/reached')).toMatchObject({ state: 'AVAILABLE' })
  })

  test('[D1-003] [D1-006] with its address on the same host and its password, a service principal works in it by psql', async () => {
    const created = await admin.expect<{ gatewayHost: string }>(
      'POST',
      '/v1/instances',
      instance('orders', { host: '127.0.0.1', tlsMode: 'verify-ca' }),
    )
    const { clientId, clientSecret } = await admin.createServicePrincipal('orders job')
    await admin.bindPostgresRole('orders', clientId, { roleName: 'orders_job' })
    const job = await postern.asServicePrincipal(clientId, clientSecret)
    const login = { user: 'orders_job', password: await job.mintCredential('orders'), database: 'shop' }
    const run = await psql(postern.libpqTarget(created, login), 'select session_user, current_database()')
    expect(run).toMatchObject({ code: 0, stdout: 'orders_job|shop\n' })
  })

  test('[D1-009] TLS to PostgreSQL is verified in full unless a weaker mode is asked for by name', async () => {
    expect(failureOf(await testConnection({}))).toBeUndefined()
    expect(failureOf(await testConnection({ tlsCa: undefined }))).toMatchObject({
      stage: 'tls',
      code: 'UPSTREAM_TLS_UNTRUSTED',
    })
    expect(failureOf(await testConnection({ host: '127.0.0.1' }))).toMatchObject({
      stage: 'tls',
      code: 'UPSTREAM_TLS_UNTRUSTED',
    })
    expect(failureOf(await testConnection({ host: '127.0.0.1', tlsMode: 'verify-ca' }))).toBeUndefined()
    expect(failureOf(await testConnection({ host: '127.0.0.1', tlsMode: 'require', tlsCa: undefined }))).toBeUndefined()
    expect(failureOf(await testConnection({ tlsMode: 'disable', tlsCa: undefined }))).toMatchObject({ stage: 'login' })
  })

  test('[D1-086] the stored password is sealed: neither the metadata on disk, nor an answer, nor the log holds it', async () => {
    await admin.expect('POST', '/v1/instances', instance('sealed'))
    const onDisk = readTree(join(postern.dataDir, 'metadata'))
    expect(onDisk.includes('postern_admin')).toBe(true)
    expect(onDisk.includes(password)).toBe(false)
    expect(onDisk.includes(Buffer.from(password).toString('hex'))).toBe(false)
    const shown = await admin.expect('GET', '/v1/instances/sealed')
    expect(shown).toMatchObject({ dataSources: [{ passwordSet: true }] })
    expect(JSON.stringify(shown)).not.toContain(password)
    expect(postern.logs()).not.toContain(password)
  })
})

/** Every byte below a folder, the write-ahead log included. */
function readTree(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))))
}
