import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { localhostCertificate } from '../support/localhost-certificate.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

interface Report {
  readonly ok: boolean
  readonly stages: readonly { readonly stage: string; readonly ok: boolean; readonly code?: string }[]
}

const password = 'planted-7Hq2vLx9-password'

/** What protects the password of a data source: on the way by TLS, at rest by sealing. */
describe('the password of a data source', () => {
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

  test('[D1-009] goes over TLS that is verified in full unless a weaker mode is asked for by name', async () => {
    expect(failureOf(await testConnection({}))).toBeUndefined()
    expect(failureOf(await testConnection({ tlsCa: undefined }))).toMatchObject({
      stage: 'tls',
      code: 'UPSTREAM_TLS_SELF_SIGNED',
    })
    expect(failureOf(await testConnection({ host: '127.0.0.1' }))).toMatchObject({
      stage: 'tls',
      code: 'UPSTREAM_TLS_WRONG_NAME',
    })
    expect(failureOf(await testConnection({ host: '127.0.0.1', tlsMode: 'verify-ca' }))).toBeUndefined()
    expect(failureOf(await testConnection({ host: '127.0.0.1', tlsMode: 'require', tlsCa: undefined }))).toBeUndefined()
    expect(failureOf(await testConnection({ tlsMode: 'disable', tlsCa: undefined }))).toMatchObject({ stage: 'login' })
  })

  test('[D1-086] is sealed at rest: neither the metadata on disk, nor an answer, nor the log holds it', async () => {
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
