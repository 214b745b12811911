import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from './free-port.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { currentUid, ensureOsUser } from '../../src/postgres-server/os-user.ts'

/** The system's own PostgreSQL, another major version than ours, on a Unix socket. Call `stop` in afterAll. */
export interface DebianPostgres {
  /** Makes a database with an owner who is no superuser, and answers the owner's URL. */
  freshDatabase(name: string): Promise<string>
  /** As the server says it, `15.9`. */
  readonly version: string
  /** Port on 127.0.0.1, where `hba` was given. */
  readonly port: number | undefined
  /** A session of the superuser; the caller ends it. */
  superuser(): Promise<pg.Client>
  stop(): Promise<void>
}

const INSTALLED = '/usr/lib/postgresql'
const START_LIMIT_MS = 30_000

/**
 * Debian's package `postgresql`, which also brings pgbench: name `pgbench` to describeWith. Unlike our own, it can ask PAM.
 * @param reachable absent: by its Unix socket alone
 */
export async function startDebianPostgres(reachable?: {
  readonly tls: TlsIdentity
  /** Lines of pg_hba.conf for sessions by TCP. */
  readonly hba: readonly string[]
}): Promise<DebianPostgres> {
  const bin = join(INSTALLED, readdirSync(INSTALLED).toSorted().at(-1) ?? '', 'bin')
  if (!existsSync(join(bin, 'initdb'))) throw new Error(`there is no PostgreSQL server below ${INSTALLED}`)
  const home = mkdtempSync(join(tmpdir(), 'debian-'))
  chmodSync(home, 0o755)
  const user = currentUid() === 0 ? await ensureOsUser('postern-meta', () => undefined) : undefined
  const [data, socket] = ['data', 'socket'].map((name) => join(home, name)) as [string, string]
  for (const path of [data, socket]) {
    mkdirSync(path, { mode: path === socket ? 0o755 : 0o700 })
    if (user) chownSync(path, user.uid, user.gid)
  }
  const as = {
    cwd: home,
    env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' },
    ...(user && { uid: user.uid, gid: user.gid }),
  }
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8'],
    as,
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${String(made.stderr)}`)
  const port = reachable && (await freePort())
  const file = (name: string, text: string): string => {
    const path = join(data, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  const tcp =
    reachable === undefined
      ? ['listen_addresses=']
      : [
          'listen_addresses=127.0.0.1',
          `port=${port}`,
          'ssl=on',
          `ssl_cert_file=${file('server.crt', reachable.tls.certificateChainPem)}`,
          `ssl_key_file=${file('server.key', reachable.tls.privateKeyPem)}`,
          `hba_file=${file('tcp.conf', `${[...reachable.hba, 'local all all trust'].join('\n')}\n`)}`,
        ]
  const settings = [...tcp, `unix_socket_directories=${socket}`, 'fsync=off', 'shared_buffers=16MB']
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...as,
    stdio: 'ignore',
  })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const killAtExit = (): void => void server.kill('SIGQUIT')
  process.once('exit', killAtExit)
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    server.kill('SIGINT')
    await exited
    rmSync(home, { recursive: true, force: true })
  }
  const superuser = async (): Promise<pg.Client> => {
    const client = new pg.Client({ host: socket, port: port ?? 5432, user: 'postgres', database: 'postgres' })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const deadlineAt = Date.now() + START_LIMIT_MS
  for (;;) {
    try {
      const client = await superuser()
      const { rows } = await client.query('show server_version')
      await client.end()
      return {
        version: String(rows[0].server_version).split(' ')[0]!,
        port,
        superuser,
        stop,
        async freshDatabase(name) {
          const admin = await superuser()
          await admin.query(`create role ${name} login password '${name}'`)
          await admin.query(`create database ${name} owner ${name}`)
          await admin.end()
          return `postgresql://${name}:${name}@localhost/${name}?host=${encodeURIComponent(socket)}`
        },
      }
    } catch (error) {
      if (Date.now() > deadlineAt || server.exitCode !== null) {
        await stop()
        throw error
      }
      await sleep(50)
    }
  }
}
