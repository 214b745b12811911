import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { currentUid, ensureOsUser } from '../../../src/postgres-server/os-user.ts'
import type { TlsIdentity } from '../../../src/transport/byte-socket.ts'

/** Debian's PostgreSQL with a streaming replica. Both ask everybody but the superuser for TLS and a client certificate. */
export interface PostgresCluster {
  readonly port: number
  readonly replicaPort: number
  /** A session of the superuser on the primary; the caller ends it. */
  superuser(database?: string): Promise<pg.Client>
  stop(): Promise<void>
}

const INSTALLED = '/usr/lib/postgresql'
const START_LIMIT_MS = 30_000

/** Name `pgbench` to describeWith: it comes with the server. */
export async function startDebianPostgresCluster(identity: TlsIdentity, clientCa: string): Promise<PostgresCluster> {
  const bin = join(INSTALLED, readdirSync(INSTALLED).toSorted().at(-1) ?? '', 'bin')
  const home = mkdtempSync(join(tmpdir(), 'cluster-'))
  chmodSync(home, 0o755)
  const user = currentUid() === 0 ? await ensureOsUser('postern-meta', () => undefined) : undefined
  const own = (path: string): string => {
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  const file = (name: string, text: string): string => {
    const path = join(home, name)
    writeFileSync(path, text, { mode: 0o600 })
    return own(path)
  }
  const as = {
    cwd: home,
    env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' },
    ...(user && { uid: user.uid, gid: user.gid }),
  }
  const socket = join(home, 's')
  mkdirSync(socket)
  own(socket)
  own(home)
  const call = (program: string, ...args: string[]): void => {
    const done = spawnSync(join(bin, program), args, { ...as, encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr}`)
  }
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${socket}`,
    'fsync=off',
    'shared_buffers=16MB',
    'max_connections=40',
    'ssl=on',
    `ssl_cert_file=${file('server.pem', identity.certificateChainPem)}`,
    `ssl_key_file=${file('server.key', identity.privateKeyPem)}`,
    `ssl_ca_file=${file('clients.pem', clientCa)}`,
    `hba_file=${file('hba.conf', 'local all postgres trust\nlocal replication postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n')}`,
  ]
  const servers: ChildProcess[] = []
  const killAtExit = (): void => servers.forEach((server) => server.kill('SIGQUIT'))
  process.once('exit', killAtExit)
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    for (const server of servers.toReversed()) {
      if (server.exitCode !== null) continue
      const exited = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGQUIT')
      await exited
    }
    rmSync(home, { recursive: true, force: true })
  }
  const connectTo =
    (port: number) =>
    async (database = 'postgres') => {
      const client = new pg.Client({ host: socket, port, user: 'postgres', database })
      client.on('error', () => undefined)
      await client.connect()
      return client
    }
  const start = async (data: string): Promise<number> => {
    const port = await freePort()
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])]
    const server = spawn(join(bin, 'postgres'), args, { ...as, stdio: 'ignore' })
    servers.push(server)
    const deadlineAt = Date.now() + START_LIMIT_MS
    for (;;) {
      try {
        await (await connectTo(port)()).end()
        return port
      } catch (error) {
        if (Date.now() > deadlineAt || server.exitCode !== null) throw error
        await sleep(50)
      }
    }
  }
  try {
    call('initdb', '-D', join(home, 'data'), '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8')
    const port = await start(join(home, 'data'))
    call(
      'pg_basebackup',
      '-D',
      join(home, 'replica'),
      '-h',
      socket,
      '-p',
      String(port),
      '-U',
      'postgres',
      '-R',
      '-c',
      'fast',
      '--no-sync',
    )
    const replicaPort = await start(join(home, 'replica'))
    return { port, replicaPort, superuser: connectTo(port), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
