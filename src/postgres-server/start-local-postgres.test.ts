import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { currentUid, ensureOsUser, type OsUser } from './os-user.ts'
import { claimSocketFolder, claimSocketRoot } from './socket-folder.ts'
import { type RunningPostgres, startLocalPostgres } from './start-local-postgres.ts'

const isRoot = currentUid() === 0
const LIMIT_MS = 60_000

let folder: string
let home: string
let socketRoot: string
let osUser: OsUser | undefined
const started: RunningPostgres[] = []

beforeEach(async () => {
  // 0700, as mkdtemp makes it: as root, the server's user cannot pass through it.
  folder = mkdtempSync(join(tmpdir(), 'postern-local-'))
  home = join(folder, 'cluster')
  socketRoot = claimSocketRoot(folder)
  osUser = isRoot ? await ensureOsUser('postern-meta', () => undefined) : undefined
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
  for (const path of [folder, socketRoot]) rmSync(path, { recursive: true, force: true })
}, LIMIT_MS)

async function start(settings: Record<string, string> = {}, durable = false): Promise<RunningPostgres> {
  const server = await startLocalPostgres({
    folder: home,
    socketFolder: claimSocketFolder(socketRoot, 'it', osUser),
    osUser,
    superuserName: 'boss',
    durable,
    settings,
  })
  started.push(server)
  return server
}

async function query(server: RunningPostgres, sql: string, password = server.superuserPassword.reveal()) {
  const client = new pg.Client({ host: server.socketFolder, user: 'boss', database: 'postgres', password })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test(
  'the first start makes a cluster with checksums, reachable by its socket and its password alone',
  async () => {
    const server = await start()
    expect(server.serverVersion).toBe('18.4')
    expect(await query(server, 'select system_identifier::text as id from pg_control_system()')).toEqual([
      { id: server.systemIdentifier },
    ])
    const names = ['listen_addresses', 'data_checksums', 'server_encoding', 'allow_alter_system', 'password_encryption']
    const settings = await query(
      server,
      `select setting from pg_settings where name in ('${names.join("','")}') order by name`,
    )
    expect(settings.map(({ setting }) => setting)).toEqual(['off', 'on', '', 'scram-sha-256', 'UTF8'])
    await expect(query(server, 'select 1', 'wrong')).rejects.toMatchObject({ code: '28P01' })
    expect(statSync(join(home, 'superuser-password')).mode & 0o777).toBe(0o600)
    expect(statSync(join(home, 'data')).mode & 0o777).toBe(0o700)
  },
  LIMIT_MS,
)

test.runIf(isRoot)(
  'as root, the server runs as its own user and cannot write its own configuration',
  async () => {
    const server = await start()
    const [row] = await query(server, `select setting as file from pg_settings where name = 'hba_file'`)
    const stats = statSync(row.file)
    expect(stats.uid).toBe(0)
    expect(stats.mode & 0o022).toBe(0)
    expect(statSync(join(home, 'data')).uid).toBe(osUser!.uid)
    expect(readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${osUser!.uid}\\s`, 'm'))
  },
  LIMIT_MS,
)

test(
  'a restart keeps the data, the password and the identity',
  async () => {
    const first = await start()
    await query(first, 'create table kept ()')
    await first.stop()
    const second = await start()
    expect(second.systemIdentifier).toBe(first.systemIdentifier)
    expect(second.superuserPassword.reveal()).toBe(first.superuserPassword.reveal())
    expect(await query(second, `select to_regclass('kept') is not null as it`)).toEqual([{ it: true }])
  },
  LIMIT_MS,
)

test(
  'a server that a killed supervisor left running is ended before another is started',
  async () => {
    const orphan = await start()
    await query(orphan, 'create table kept ()')
    const next = await start()
    await orphan.exited
    expect(next.pid).not.toBe(orphan.pid)
    expect(await query(next, `select to_regclass('kept') is not null as it`)).toEqual([{ it: true }])
  },
  LIMIT_MS,
)

test(
  'a server that was killed outright is recovered',
  async () => {
    const killed = await start({}, true)
    await query(killed, 'create table kept ()')
    process.kill(killed.pid, 'SIGKILL')
    await killed.exited
    const next = await start()
    expect(await query(next, `select to_regclass('kept') is not null as it`)).toEqual([{ it: true }])
  },
  LIMIT_MS,
)

test(
  'a pid file that names an unrelated process neither ends that process nor stops the start',
  async () => {
    await (await start()).stop()
    const pidFile = join(home, 'data', 'postmaster.pid')
    writeFileSync(pidFile, `${process.pid}\n${join(home, 'data')}\n`)
    const server = await start()
    expect(await query(server, 'select 1 as it')).toEqual([{ it: 1 }])
  },
  LIMIT_MS,
)

test(
  'what a first start that was killed half-way left behind is cleared away',
  async () => {
    mkdirSync(join(home, 'initdb-abc', 'data', 'base'), { recursive: true })
    await start()
    expect(readdirSync(home).filter((name) => name.startsWith('initdb-'))).toEqual([])
  },
  LIMIT_MS,
)

test(
  'a server that cannot start fails with the name of its log and leaves nothing running',
  async () => {
    const failure = await start({ shared_buffers: 'plenty' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'LOCAL_POSTGRES_FAILED',
      hint: expect.stringContaining(join(home, 'postgres.log')),
    })
    expect(existsSync(join(home, 'data', 'postmaster.pid'))).toBe(false)
  },
  LIMIT_MS,
)

test(
  'works where the folders above are open as well',
  async () => {
    chmodSync(folder, 0o755)
    const server = await start()
    const [row] = await query(server, `select setting as folder from pg_settings where name = 'data_directory'`)
    expect(row.folder).toBe(join(home, 'data'))
  },
  LIMIT_MS,
)

test(
  'its log is bounded',
  async () => {
    const server = await start()
    const line = 'x'.repeat(1000)
    await query(server, `do $$ begin for i in 1..9000 loop raise log '${line}'; end loop; end $$`)
    expect(statSync(join(home, 'postgres.log')).size).toBeLessThanOrEqual(4 * 1024 * 1024)
    expect(statSync(join(home, 'postgres.log.1')).size).toBeLessThanOrEqual(4 * 1024 * 1024)
  },
  LIMIT_MS,
)
