import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { MasterKey } from '../../src/crypto/master-key.ts'
import { currentUid } from '../../src/postgres-server/os-user.ts'
import { type DebianPostgres, startDebianPostgres } from '../support/debian-postgres.ts'
import { openForge } from '../support/forge.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import {
  type DemoReadyFile,
  type RunningPostern,
  startDemo,
  startPostern,
  temporaryFolder,
} from '../support/running-postern.ts'
import { type ProgramEnd, runProgram, startProgram } from '../support/running-program.ts'

const launcher = join(import.meta.dirname, '../../bin/postern')

/** One deployment, backed up while it serves, and what becomes of it elsewhere. */
describeWith(['psql', 'pgbench'], 'backup and restore', () => {
  let folder: string
  let source: RunningPostern<DemoReadyFile>
  let debian: DebianPostgres
  const running: RunningPostern[] = []
  const at = (name: string) => join(folder, name)

  beforeAll(async () => {
    folder = temporaryFolder('postern-backup-')
    source = await startDemo({ dataDir: at('source') })
    expect(await run('backup', '--data-dir', at('source'), '--out', at('backup'))).toMatchObject({ code: 0 })
    expect(await run('export-master-key', '--data-dir', at('source'), '--out', at('key'))).toMatchObject({ code: 0 })
    debian = await startDebianPostgres()
  })
  afterEach(async () => {
    for (const postern of running.splice(0)) await postern.stop()
  })
  afterAll(async () => {
    await source?.stop()
    await debian?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const run = (...args: string[]): Promise<ProgramEnd> => runProgram(launcher, args, { env: {}, timeoutMs: 60_000 })
  const restore = (to: string, ...flags: string[]) =>
    run('restore', '--in', at('backup'), '--data-dir', to, '--master-key-file', at('key'), ...flags)
  const start = async (dataDir: string, ...flags: string[]): Promise<RunningPostern> => {
    const postern = await startPostern({ dataDir, flags })
    running.push(postern)
    return postern
  }
  const adminPassword = () => readFileSync(source.ready.adminPasswordFile, 'utf8').trim()
  /** The control plane of a restored deployment, with what was valid in the source. */
  const signIn = async (postern: RunningPostern) => {
    writeFileSync(postern.ready.adminPasswordFile, adminPassword())
    const { clientId, clientSecret } = source.ready.servicePrincipal
    return { admin: await postern.asAdmin(), program: await postern.asServicePrincipal(clientId, clientSecret) }
  }
  const sample = async (postern: RunningPostern) =>
    (await signIn(postern)).admin.expect<{ state: string; stateReason: string }>('GET', '/v1/instances/sample')
  const countBooks = async (postern: RunningPostern) => {
    const { program } = await signIn(postern)
    const { token } = await program.expect<{ token: string }>('POST', '/api/2.0/database/credentials', {
      instance_names: ['sample'],
    })
    const login = { user: source.ready.servicePrincipal.clientId, password: token, database: source.ready.database }
    return psql(
      postern.libpqTarget({ gatewayHost: 'sample.postern.localhost' }, login),
      'select count(*) from shop.book',
    )
  }

  test('a backup and the exported key are private files, and no secret is in clear in the backup', async () => {
    for (const name of ['backup', 'key']) expect(statSync(at(name)).mode & 0o777).toBe(0o600)
    const text = gunzipSync(readFileSync(at('backup'))).toString()
    const key = readFileSync(at('key'), 'utf8').trim()
    expect(key).toBe(readFileSync(join(at('source'), 'master.key'), 'utf8').trim())
    const keyBytes = Buffer.from(key, 'base64')
    for (const secret of [key, keyBytes.toString('hex'), adminPassword(), source.ready.servicePrincipal.clientSecret]) {
      expect(text).not.toContain(secret)
    }
    expect(text).not.toMatch(/PRIVATE KEY|"d":/)
  })

  test('without the right master key nothing is restored, and the sentence says why', async () => {
    writeFileSync(at('wrong-key'), MasterKey.generate().export().reveal())
    const missing = await run('restore', '--in', at('backup'), '--data-dir', at('none'))
    expect(missing).toMatchObject({ code: 8, stderr: expect.stringContaining('needs the master key') })
    const wrong = ['--in', at('backup'), '--data-dir', at('none'), '--master-key-file', at('wrong-key')]
    expect(await run('restore', ...wrong)).toMatchObject({
      code: 8,
      stderr: expect.stringContaining('not the one that the backup was sealed with'),
    })
    expect(existsSync(at('none'))).toBe(false)
    // Nor is a wrong key exported as if it were the right one.
    const other = ['--data-dir', at('source'), '--master-key-file', at('wrong-key'), '--out', at('wrong-export')]
    expect(await run('export-master-key', ...other)).toMatchObject({ code: 8 })
    expect(existsSync(at('wrong-export'))).toBe(false)
  })

  test('a folder with anything in it is refused and left alone', async () => {
    mkdirSync(at('full'))
    writeFileSync(join(at('full'), 'thesis.txt'), '')
    for (const target of [at('full'), at('source')]) {
      const before = readdirSync(target)
      expect(await restore(target)).toMatchObject({ code: 5, stderr: expect.stringContaining('is not empty') })
      expect(readdirSync(target)).toEqual(before)
    }
    expect(await sample(source)).toMatchObject({ state: 'AVAILABLE' })
  })

  test('a restored folder serves the same people, programs and certificates, and says that managed data is elsewhere', async () => {
    mkdirSync(at('volume')) // empty and there already, such as a volume of a container
    expect(await restore(at('volume'))).toMatchObject({ code: 0, stdout: expect.stringContaining('Restored') })
    // Sockets in another place, such as that of a systemd unit: a backup finds them by the server's own word.
    mkdirSync(at('sockets'), { mode: 0o755 })
    const restored = await start(at('volume'), '--socket-dir', at('sockets'))
    expect(readdirSync(at('sockets'))).toHaveLength(1)
    const again = ['--data-dir', at('volume'), '--out', at('again')]
    expect(await run('backup', ...again)).toMatchObject({ code: 0 })
    expect(restored.ca).toBe(source.ca)
    const { admin } = await signIn(restored)
    const trail = await admin.expect('GET', '/v1/auditEvents')
    expect(JSON.stringify(trail)).toContain('"deployment.restore"')

    const reason = expect.stringContaining('Its data is not on this node')
    expect(await sample(restored)).toMatchObject({ state: 'FAILED', stateReason: reason })
    const refused = await countBooks(restored).catch((error: Error) => error.message)
    expect(JSON.stringify(refused)).toContain('AVAILABLE')
    // It does not spin, and whatever is asked of it ends.
    await admin.expect('POST', '/v1/instances/sample:start', {})
    await eventually(async () => expect(await sample(restored)).toMatchObject({ state: 'FAILED', stateReason: reason }))
    await admin.expect('DELETE', '/v1/instances/sample')
    await eventually(async () => expect((await admin.send('GET', '/v1/instances/sample')).status).toBe(404))
    expect(restored.logs().match(/"level":"error"/g) ?? []).toEqual([])
    // What happens there does not reach the deployment that was backed up.
    expect(await sample(source)).toMatchObject({ state: 'AVAILABLE' })
  })

  test('a restore that is interrupted leaves nothing; one that is killed is begun anew', async () => {
    const args = ['restore', '--in', at('backup'), '--data-dir', at('cut'), '--master-key-file', at('key')]
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const program = startProgram(launcher, args, { env: {} })
      await eventually(() => expect(existsSync(join(at('cut'), 'metadata', 'data', 'PG_VERSION'))).toBe(true), 5)
      program.signal(signal)
      const end = await program.ended
      if (signal === 'SIGTERM') {
        expect(end).toMatchObject({ code: 8, stderr: expect.stringContaining('Interrupted') })
        expect(existsSync(at('cut'))).toBe(false)
      }
    }
    const refused = await run('serve', '--data-dir', at('cut'), '--http-port', '0', '--gateway-port', '0')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('was not finished')
    const nodeId = readFileSync(join(at('cut'), 'restoring'), 'utf8')
    expect(await restore(at('cut'))).toMatchObject({ code: 0 })
    expect(readFileSync(join(at('cut'), 'node.json'), 'utf8')).toContain(nodeId)
    expect(readdirSync(at('cut')).toSorted()).toEqual(['master.key', 'metadata', 'node.json'])
    await start(at('cut'))
  })

  test('the metadata moves into a Postgres of another major version and back, with the managed instances of the node', async () => {
    await source.stop()
    // Stopped, the store is started for the backup and stopped again.
    const backup = await run('backup', '--data-dir', at('source'), '--out', at('moving'))
    expect(backup).toMatchObject({ code: 0 })
    expect(existsSync(join(at('source'), 'metadata', 'data', 'postmaster.pid'))).toBe(false)

    const url = await debian.freshDatabase('moved')
    writeFileSync(at('url'), url, { mode: 0o600 })
    const external = ['--store-url-file', at('url'), '--master-key-file', at('key')]
    expect(await run('restore', '--in', at('moving'), ...external)).toMatchObject({ code: 0 })
    const again = await run('restore', '--in', at('moving'), ...external)
    expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('already has tables') })

    writeFileSync(at('wrong-key'), MasterKey.generate().export().reveal())
    const wrong = ['--store-url-file', at('url'), '--master-key-file', at('wrong-key')]
    const ports = ['--http-port', '0', '--gateway-port', '0']
    const refused = await run('serve', '--data-dir', at('source'), ...ports, ...wrong)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('not the one that this metadata store was sealed with')

    const moved = await start(at('source'), ...external)
    expect(existsSync(join(at('source'), 'metadata', 'data', 'postmaster.pid'))).toBe(false)
    expect(await sample(moved)).toMatchObject({ state: 'AVAILABLE' })
    expect(await countBooks(moved)).toMatchObject({ code: 0, stdout: '12\n' })

    // From there into a newer major version: a backup while it serves, and without the master key.
    const out = ['--store-url-file', at('url'), '--out', at('from-debian')]
    expect(await run('backup', ...out)).toMatchObject({ code: 0 })
    const back = ['--in', at('from-debian'), '--data-dir', at('back'), '--master-key-file', at('key')]
    expect(await run('restore', ...back)).toMatchObject({ code: 0 })
    const upgraded = await start(at('back'))
    expect(await sample(upgraded)).toMatchObject({ state: 'FAILED' })
    expect(debian.version).not.toMatch(/^18/)
  })

  test('another node takes over the managed instances of a node that is gone, where it is told to', async () => {
    const external = ['--master-key-file', at('key'), '--store-url-file', at('url2')]
    writeFileSync(at('url2'), await debian.freshDatabase('adopted'), { mode: 0o600 })
    const adopt = ['--in', at('backup'), '--data-dir', at('other-node'), '--adopt-managed-instances']
    expect(await run('restore', ...adopt, ...external)).toMatchObject({ code: 0 })
    const other = await start(at('other-node'), ...external)
    const reason = expect.stringContaining('Its data is not on this node')
    expect(await sample(other)).toMatchObject({ state: 'FAILED', stateReason: reason })
    await other.stop()
    running.pop()

    writeFileSync(at('url3'), await debian.freshDatabase('unadopted'), { mode: 0o600 })
    const left = ['--master-key-file', at('key'), '--store-url-file', at('url3')]
    expect(await run('restore', '--in', at('backup'), '--data-dir', at('third-node'), ...left)).toMatchObject({
      code: 0,
    })
    const third = await start(at('third-node'), ...left)
    expect(await sample(third)).toMatchObject({
      state: 'FAILED',
      stateReason: expect.stringContaining('its node has not started it since'),
    })
  })

  test('an older Postern refuses a newer schema, at the start and for a backup', async () => {
    const dataDir = at('newer')
    expect(await restore(dataDir)).toMatchObject({ code: 0 })
    const first = await start(dataDir)
    const forge = await openForge(first)
    await forge.store.pool.query(
      `insert into schema_migration (position, name, sha256) values (1000, '1000_future', 'x')`,
    )
    await forge.close()
    await first.stop()
    running.pop()
    const refused = await run('serve', '--data-dir', dataDir, '--http-port', '0', '--gateway-port', '0')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('migrated by a newer Postern: it has 1000_future')
    const backup = await run('backup', '--data-dir', dataDir, '--out', at('newer.backup'))
    expect(backup).toMatchObject({ stderr: expect.stringContaining('1000_future') })
    expect(existsSync(at('newer.backup'))).toBe(false)
  })

  test.runIf(currentUid() === 0)('a data folder of another user is not touched, not even by root', async () => {
    chownSync(at('source'), 65534, 65534)
    const other = await run('backup', '--data-dir', at('source'), '--out', at('of-another'))
    chownSync(at('source'), 0, 0)
    expect(other).toMatchObject({ code: 8, stderr: expect.stringContaining('belongs to another user (65534)') })
    expect(existsSync(at('of-another'))).toBe(false)
    // Everybody else is kept away by the operating system.
    expect(statSync(join(at('source'), 'metadata', 'superuser-password')).mode & 0o777).toBe(0o600)
  })
})

/** Tries until it holds; the last failure is the test's. */
async function eventually(check: () => unknown, pauseMs = 100): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await sleep(pauseMs)) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}
