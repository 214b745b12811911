import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { FakeVault } from '../support/fake-vault.ts'
import { openForge } from '../support/forge.ts'
import { commandLine, descendants } from '../support/processes.ts'
import { type RunningPostern, startPostern, temporaryFolder } from '../support/running-postern.ts'
import { runProgram, type RunningProgram, startProgram } from '../support/running-program.ts'
import { runSql } from '../support/sql-client.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

interface Report {
  readonly ok: boolean
  readonly stages: readonly {
    readonly stage: string
    readonly ok: boolean
    readonly code?: string
    readonly secrets?: readonly object[]
  }[]
}

const launcher = join(import.meta.dirname, '../../bin/postern')
const passwords = ['planted-external-password-1', 'planted-external-password-2'] as const
const secretId = 'planted-app-role-secret-id'
const token = 'hvs.planted-token-of-vault'
const endpointHeader = 'planted-endpoint-header'

/** A data source that has no password of its own, from its set-up to the day when the password is exchanged. */
describe('a data source whose password lives in a secret manager', () => {
  let postern: RunningPostern
  let upstream: UpstreamPostgres
  let admin: ControlPlane
  let folder: string
  let vaultUrl: string
  let endpoint: Server
  let endpointUrl: string
  let current: string = passwords[0]
  const vault = new FakeVault()
  const asked: string[] = []

  beforeAll(async () => {
    folder = temporaryFolder('external-secrets-')
    endpoint = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      const isOurs = request.url === '/secrets/mydbkey:access'
      response.writeHead(isOurs ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ payload: { data: Buffer.from(current).toString('base64') } }))
    })
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
    endpointUrl = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`
    ;[postern, upstream, vaultUrl] = await Promise.all([
      startPostern({ flags: ['--log-level', 'trace'] }),
      startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] }),
      vault.start(),
    ])
    const superuser = await upstream.superuser()
    await superuser.query(`create role postern_admin login createrole password '${current}'`)
    await superuser.end()
    vault.secrets.set('secret/bytebase', [{ DB_PASSWORD: current }])
    const policy = { paths: ['secret/data/bytebase'] }
    vault.addToken(token, policy.paths)
    vault.approles.set('approle/postern-role', { secretId, policy, ttlSeconds: 3600 })
    admin = await postern.asAdmin()
  })
  afterAll(async () => {
    await Promise.all([postern?.stop(), upstream?.stop(), vault.stop()])
    endpoint?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const place = () => ({ host: '127.0.0.1', port: upstream.port, username: 'postern_admin', tlsMode: 'disable' })
  const auth = { method: 'app_role', roleId: 'postern-role', secretId: { from: 'literal', value: secretId } }
  const inVault = () => ({
    source: 'vault_kv',
    url: vaultUrl,
    auth,
    engineName: 'secret',
    path: 'bytebase',
    key: 'DB_PASSWORD',
  })
  const instance = (name: string, dataSource: object) => ({
    kind: 'external',
    name,
    adminDataSource: { ...place(), ...dataSource },
  })
  const secretStage = ({ stages }: Report) => stages.find(({ stage }) => stage === 'secret')
  const reads = () => vault.requests.filter((request) => request === 'GET /v1/secret/data/bytebase').length
  const askWhoIAm = (name: string) => runSql(admin, name, 'select current_user', { source: 'admin' })
  const runCli = (args: readonly string[], input?: string): RunningProgram =>
    startProgram(launcher, args, {
      env: { HOME: folder, POSTERN_HOST: postern.ready.httpUrl, ...cliEnv },
      timeoutMs: 60_000,
      ...(input !== undefined && { input }),
    })
  let cliEnv: Readonly<Record<string, string>> = {}

  test('[D1-084] [D1-087] [D1-088] [D1-089] [D1-090] [D1-091] [D1-098] is registered with where it lives, tested stage by stage, and works', async () => {
    const { body: tested } = await admin.send<Report>(
      'POST',
      '/v1/instances?validateOnly=true',
      instance('by-api', { externalSecrets: { password: inVault() } }),
    )
    expect(tested.ok).toBe(true)
    expect(secretStage(tested)?.secrets).toMatchObject([
      { field: 'password', source: 'vault_kv', host: new URL(vaultUrl).host, origin: 'fetched', version: '1' },
    ])
    await admin.expect('POST', '/v1/instances', instance('by-api', { externalSecrets: { password: inVault() } }))
    expect(await askWhoIAm('by-api')).toMatchObject({ rows: [['postern_admin']] })
    const { body: again } = await admin.send<Report>('POST', '/v1/instances/by-api:testConnection')
    expect(secretStage(again)?.secrets).toMatchObject([{ origin: 'cached' }])
  })

  test('[D1-099] [D1-100] [D1-101] is registered from the command line, whose secrets come from a file', async () => {
    const { clientId, clientSecret } = await admin.createServicePrincipal('cli', 'dba')
    cliEnv = { POSTERN_CLIENT_ID: clientId, POSTERN_CLIENT_SECRET: clientSecret }
    writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 })
    const where = ['--host-name', '127.0.0.1', '--port', String(upstream.port), '--username', 'postern_admin']
    const inCli = ['--vault-url', vaultUrl, '--vault-path', 'bytebase', '--vault-key', 'DB_PASSWORD']
    const create = ['instance', 'create', 'by-cli', ...where, '--tls-mode', 'disable', ...inCli]
    const created = runCli([...create, '--vault-token-file', join(folder, 'token')])
    expect(await created.ended).toMatchObject({ code: 0 })
    expect(await askWhoIAm('by-cli')).toMatchObject({ rows: [['postern_admin']] })

    const file = JSON.stringify({ ...inVault(), auth })
    const update = ['data-source', 'update', 'by-cli', 'admin', '--external-secret', 'password=-']
    expect(await runCli(update, file).ended).toMatchObject({ code: 0 })
    const shown = await runCli(['data-source', 'get', 'by-cli', 'admin']).ended
    expect(shown.stdout).toMatch(/External password: +vault_kv, .*key DB_PASSWORD.*path bytebase, engineName secret/)
    const tested = await runCli(['instance', 'test', 'by-cli']).ended
    expect(tested.stdout).toMatch(/secret.*password (fetched|cached) from vault_kv at 127\.0\.0\.1:\d+, version 1/)
    for (const { stdout, stderr } of [shown, tested]) expect(stdout + stderr).not.toMatch(/planted/)

    const guide = await runCli(['setup-guide', 'vault_kv', '--secret-name', 'bytebase']).ended
    expect(guide.stdout).toContain('vault kv put -mount=secret bytebase DB_PASSWORD=-')
  })

  test('[D1-149] [D1-150] [D1-151] [D1-152] [D1-153] [D1-154] [D1-155] [D1-156] comes from an endpoint of one’s own by {{url}}', async () => {
    const url = `${endpointUrl}/secrets/mydbkey:access`
    await admin.expect('POST', '/v1/instances', instance('by-url', { password: `{{${url}}}` }))
    expect(await askWhoIAm('by-url')).toMatchObject({ rows: [['postern_admin']] })
    expect(asked).toEqual(['GET /secrets/mydbkey:access'])
    const headers = { 'x-key': endpointHeader }
    await admin.expect('PATCH', '/v1/instances/by-url/dataSources/admin', {
      externalSecrets: { password: { source: 'endpoint', url, headers } },
    })
    const shown = await admin.expect('GET', '/v1/instances/by-url')
    expect(shown).toMatchObject({ dataSources: [{ externalSecrets: { password: { source: 'endpoint', url } } }] })
  })

  test('is exchanged while sessions are opened, and none of them fails', async () => {
    const before = reads()
    const load = new AbortController()
    const outcomes: unknown[] = []
    const worker = async () => {
      while (!load.signal.aborted || outcomes.length < 40) {
        const { error, rows } = await askWhoIAm('by-api')
        outcomes.push(error ?? rows?.[0]?.[0])
      }
    }
    const workers = [worker(), worker(), worker()]
    const superuser = await upstream.superuser()
    while (outcomes.length < 10) await new Promise((resolve) => setTimeout(resolve, 5))
    current = passwords[1]
    vault.secrets.get('secret/bytebase')!.push({ DB_PASSWORD: current })
    await superuser.query(`alter role postern_admin password '${current}'`)
    await superuser.end()
    const changedAt = outcomes.length
    while (outcomes.length < changedAt + 20) await new Promise((resolve) => setTimeout(resolve, 5))
    load.abort()
    await Promise.all(workers)
    expect(outcomes.filter((outcome) => outcome !== 'postern_admin')).toEqual([])
    expect(reads() - before).toBeLessThanOrEqual(2)
    expect(reads() - before).toBeGreaterThanOrEqual(1)
  })

  test('stays where it is: no log, audit record, answer, file, backup or argument holds it or what opens it', async () => {
    const planted = [...passwords, secretId, token, endpointHeader]
    const expectNone = (text: string) => expect(planted.filter((secret) => text.includes(secret))).toEqual([])
    expect(postern.logs().length).toBeGreaterThan(2_000)
    expectNone(postern.logs())
    const onDisk = readdirSync(join(postern.dataDir, 'metadata'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join('\n')
    expect(onDisk).toContain('vault_kv')
    expectNone(onDisk)
    const answers = await Promise.all(
      ['/v1/instances', '/v1/auditEvents?pageSize=1000'].map((path) => admin.expect('GET', path)),
    )
    expect(JSON.stringify(answers)).toContain('password=vault_kv')
    expectNone(JSON.stringify(answers))
    for (const pid of [postern.pid, ...descendants(postern.pid)]) {
      expectNone(commandLine(pid))
      expectNone(readFileSync(`/proc/${pid}/environ`, 'latin1'))
    }
    const forge = await openForge(postern)
    const { rows } = await forge.store.pool.query('select to_jsonb(d)::text as text from data_source d')
    await forge.close()
    expectNone(rows.map(({ text }) => text).join('\n'))
    const out = join(folder, 'backup')
    const args = ['backup', '--data-dir', postern.dataDir, '--out', out]
    expect(await runProgram(launcher, args, { env: {}, timeoutMs: 60_000 })).toMatchObject({ code: 0 })
    const backup = gunzipSync(readFileSync(out)).toString('latin1')
    expect(backup).toContain('vault_kv')
    expectNone(backup)
  })

  test('and its login are given back when Postern ends', async () => {
    await postern.stop()
    expect(vault.revokedTokens.length).toBeGreaterThan(0)
    expect(vault.revokedTokens).not.toContain(token)
  })
})
