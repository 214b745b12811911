import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { claimSocketRoot } from '../src/postgres-server/socket-folder.ts'
import type { ControlPlane, NewServicePrincipal } from '../test/support/control-plane.ts'
import { type Forge, openForge } from '../test/support/forge.ts'
import { descendants } from '../test/support/processes.ts'
import { runLibpqProgram } from '../test/support/psql.ts'
import { type RunningPostern, startPostern } from '../test/support/running-postern.ts'
import { createTestAuthority, type TestAuthority } from '../test/support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../test/support/upstream-postgres.ts'
import { type FakeWays, fakeUpstreamPort, startFakeWays } from './fake-ways.ts'
import { commandLine } from './process-accounting.ts'
import { startPgbouncer, startStunnel } from './peers.ts'
import type { UnixUpstream, Way } from './way.ts'

/** Everything that a row needs: one Postgres, and every way to it. */
export interface Stage {
  readonly ways: readonly Way[]
  /** The upstream's Unix socket with nothing in between. */
  readonly unix: Way
  readonly upstreamPid: number
  readonly authority: TestAuthority
  readonly postern: RunningPostern
  readonly admin: ControlPlane
  readonly forge: Forge
  readonly gateway: Way
  /** The gateway in front of an upstream that only pretends. */
  readonly fake: FakeWays
  /** Service principals that may mint a credential for the bench's instance. */
  readonly minters: readonly ControlPlane[]
  /** Process ids of the child of `postern serve` with this name. */
  child(name: 'gateway' | 'control'): number
}

const database = 'bench'
const instanceName = 'bench'
/** Each principal may mint 1,200 credentials a minute. */
const minterCount = 12
const sourcePassword = randomUUID()

/** Builds the stage, calls `body`, and takes everything down again. */
export async function withStage(body: (stage: Stage) => Promise<void>): Promise<void> {
  const closers: (() => unknown)[] = []
  try {
    await body(await build((close) => closers.push(close)))
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

async function build(onClose: (close: () => unknown) => void): Promise<Stage> {
  const authority = createTestAuthority('bench authority')
  onClose(() => authority.remove())
  const tls = authority.issue(['localhost', '127.0.0.1'])
  const socketFolder = mkdtempSync('/tmp/postern-bench-')
  onClose(() => rmSync(socketFolder, { recursive: true, force: true }))
  chmodSync(socketFolder, 0o777)
  const upstream = await startUpstreamPostgres({
    tls,
    hba: [
      'local all all trust',
      // As the others ask for it: a client of the bench knows no SCRAM.
      'hostssl all bench 127.0.0.1/32 password',
      'host all keeper 127.0.0.1/32 scram-sha-256',
    ],
    settings: [
      `unix_socket_directories=${socketFolder}`,
      'unix_socket_permissions=0777',
      'shared_buffers=512MB',
      'max_connections=200',
      'max_wal_size=4GB',
      'autovacuum=off',
    ],
  })
  onClose(() => upstream.stop())
  const unix = { folder: socketFolder, port: upstream.port }
  const benchPassword = randomUUID()
  await prepareDatabase(upstream, benchPassword)

  const postern = await startPostern({
    flags: ['--gateway-max-sessions', '20000', '--gateway-max-sessions-per-principal', '20000'],
  })
  onClose(() => postern.stop())
  const peerFolder = linkBelowSocketRoot(postern, unix)
  onClose(() => rmSync(peerFolder, { recursive: true, force: true }))
  const admin = await postern.asAdmin()
  const forge = await openForge(postern)
  onClose(() => forge.close())
  const principals = await connectInstance(admin, forge, upstream, peerFolder)
  const minters = await Promise.all(
    principals.map(({ clientId, clientSecret }) => postern.asServicePrincipal(clientId, clientSecret)),
  )
  const [principal] = principals
  const [application] = minters
  if (principal === undefined || application === undefined) throw new Error('no service principal')
  await grantTables(upstream, principal.clientId)

  const child = (name: 'gateway' | 'control') => {
    const pid = descendants(postern.pid).find((each) => commandLine(each).split(' ').includes(name))
    if (pid === undefined) throw new Error(`no process of the ${name}`)
    return pid
  }
  const login = { user: principal.clientId, password: await application.mintCredential(instanceName), database }
  const gateway: Way = {
    name: 'gateway',
    target: postern.libpqTarget({ gatewayHost: `${instanceName}.postern.localhost` }, login),
    pids: () => [child('gateway')],
  }
  const peer = { upstream: unix, tls, caFile: authority.caFile, user: 'bench', password: benchPassword, database }
  const pgbouncer = await startPgbouncer(peer)
  onClose(() => pgbouncer.stop())
  const stunnel = await startStunnel(peer)
  onClose(() => stunnel.stop())
  const direct: Way = { name: 'direct', target: { ...pgbouncer.way.target, port: upstream.port }, pids: () => [] }

  const unixWay: Way = {
    name: 'unix',
    target: { host: unix.folder, port: unix.port, user: 'bench', database, sslmode: 'disable' },
    pids: () => [],
  }

  return {
    ways: [gateway, direct, pgbouncer.way, stunnel.way],
    unix: unixWay,
    upstreamPid: await postmasterPid(upstream),
    authority,
    postern,
    admin,
    forge,
    gateway,
    fake: await startFakeWays({
      postern,
      forge,
      authority,
      socketFolder,
      application,
      peerFolder,
      user: principal.clientId,
      onClose,
    }),
    minters,
    child,
  }
}

async function prepareDatabase(upstream: UpstreamPostgres, benchPassword: string): Promise<void> {
  const superuser = await upstream.superuser()
  await superuser.query(`create role bench login password '${benchPassword}'`)
  await superuser.query(`create role keeper login createrole createdb password '${sourcePassword}'`)
  await superuser.query(`create database ${database} owner bench`)
  await superuser.end()
  const target = { host: 'localhost', port: upstream.port, user: 'bench', password: benchPassword, database }
  const made = await runLibpqProgram('pgbench', target, ['-i', '-q', '-s', '20'], { timeoutMs: 120_000 })
  if (made.code !== 0) throw new Error(`pgbench -i failed:\n${made.stderr}`)
  const owner = await upstream.superuser(database)
  // Rows of about 1 KB: the way is measured, not how fast a client counts rows. 200 MB, which stay in shared buffers.
  await owner.query(
    `create table wide as select n, repeat(md5(n::text), 31) as text from generate_series(1, 200000) as n`,
  )
  await owner.query('create unlogged table landing (n int, text text)')
  await owner.query('vacuum analyze')
  await owner.end()
}

async function postmasterPid(upstream: UpstreamPostgres): Promise<number> {
  const superuser = await upstream.superuser()
  const { rows } = await superuser.query(`select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`)
  await superuser.end()
  return rows[0].pid
}

/** As an admin would, over TCP; then the row is turned to the Unix socket, where the upstream knows the gateway as its peer. */
async function connectInstance(
  admin: ControlPlane,
  forge: Forge,
  upstream: UpstreamPostgres,
  peerFolder: string,
): Promise<NewServicePrincipal[]> {
  const adminDataSource = {
    host: '127.0.0.1',
    port: upstream.port,
    database,
    username: 'keeper',
    password: sourcePassword,
    tlsMode: 'disable',
  }
  await admin.expect('POST', '/v1/instances', { kind: 'external', name: instanceName, adminDataSource })
  const principals: NewServicePrincipal[] = []
  for (let index = 1; index <= minterCount; index++) {
    const principal = await admin.createServicePrincipal(`bench ${index}`)
    await admin.bindPostgresRole(instanceName, principal.clientId)
    principals.push(principal)
  }
  const { pool } = forge.store
  await pool.query('update data_source set host = $1', [peerFolder])
  await pool.query('update postgres_role_binding set login_key_sealed = null')
  return principals
}

/** A gateway is the peer of its own node's servers alone, and knows them by the folder: this one leads to the bench's. */
function linkBelowSocketRoot(postern: RunningPostern, upstream: UnixUpstream): string {
  const { nodeId } = JSON.parse(readFileSync(join(postern.dataDir, 'node.json'), 'utf8')) as { nodeId: string }
  const folder = join(claimSocketRoot(nodeId), 'bench')
  mkdirSync(folder, { mode: 0o755 })
  for (const port of [upstream.port, fakeUpstreamPort]) {
    const socket = `.s.PGSQL.${port}`
    symlinkSync(join(upstream.folder, socket), join(folder, socket))
  }
  return folder
}

async function grantTables(upstream: UpstreamPostgres, role: string): Promise<void> {
  const owner = await upstream.superuser(database)
  await owner.query(`grant all on all tables in schema public to "${role}", bench`)
  await owner.end()
}
