import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2/promise'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { freePort } from './free-port.ts'

/** The system's own MariaDB on 127.0.0.1, with TLS where an identity is given. Call `stop` in afterAll. */
export interface MariadbServer {
  readonly port: number
  /** Runs statements as root by the Unix socket, past Postern; answers the rows of the last one. */
  run(...statements: string[]): Promise<Record<string, unknown>[]>
  /** Sessions of anybody but the one that asks. */
  openSessions(): Promise<number>
  stop(): Promise<void>
}

interface MariadbOptions {
  readonly identity?: TlsIdentity
  /** PEM of the authority that client certificates must come from. */
  readonly clientCa?: string
  /** More of `--name=value`. */
  readonly settings?: readonly string[]
}

const START_LIMIT_MS = 60_000

/** Starts Debian's package `mariadb-server`: name `mariadbd` to describeWith. As root it runs as the user `mysql`. */
export async function startMariadb({ identity, clientCa, settings = [] }: MariadbOptions = {}): Promise<MariadbServer> {
  const home = mkdtempSync(join(tmpdir(), 'maria-'))
  chmodSync(home, 0o755)
  const user = process.getuid?.() === 0 ? userNamed('mysql') : undefined
  const folder = (name: string): string => {
    const path = join(home, name)
    mkdirSync(path, { mode: 0o755 })
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  const file = (name: string, text: string): string => {
    const path = join(home, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  const data = folder('data')
  const run = join(folder('run'), 's')
  const asUser = user ? ['--user=mysql'] : []
  const made = spawnSync(
    '/usr/bin/mariadb-install-db',
    [
      '--no-defaults',
      ...asUser,
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ],
    { cwd: home, encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: folder('tmp') } },
  )
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stdout}${made.stderr}`)
  const port = await freePort()
  const tls = identity
    ? [
        `--ssl-cert=${file('server.pem', identity.certificateChainPem)}`,
        `--ssl-key=${file('server.key', identity.privateKeyPem)}`,
        ...(clientCa === undefined ? [] : [`--ssl-ca=${file('clients.pem', clientCa)}`]),
      ]
    : ['--skip-ssl']
  const server = spawn(
    '/usr/sbin/mariadbd',
    [
      '--no-defaults',
      ...asUser,
      `--datadir=${data}`,
      `--socket=${run}`,
      `--pid-file=${run}.pid`,
      `--log-error=${join(home, 'run', 'log')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      '--innodb-buffer-pool-size=32M',
      '--innodb-flush-log-at-trx-commit=0',
      '--performance-schema=OFF',
      ...tls,
      ...settings,
    ],
    { cwd: home, stdio: 'ignore', env: { PATH: '/usr/bin:/bin', TZ: 'UTC' } },
  )
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const killAtExit = (): void => void server.kill('SIGKILL')
  process.once('exit', killAtExit)
  const ask = async (...statements: string[]): Promise<Record<string, unknown>[]> => {
    const root = await mysql.createConnection({ socketPath: run, user: 'root', multipleStatements: true })
    try {
      let rows: unknown = []
      for (const statement of statements) [rows] = await root.query(statement)
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : []
    } finally {
      root.destroy()
    }
  }
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    server.kill('SIGTERM')
    const forced = setTimeout(() => server.kill('SIGKILL'), 5_000)
    await exited
    clearTimeout(forced)
    rmSync(home, { recursive: true, force: true })
  }
  const deadlineAt = Date.now() + START_LIMIT_MS
  for (;;) {
    try {
      await ask('select 1')
      break
    } catch (error) {
      if (Date.now() > deadlineAt || server.exitCode !== null) {
        const log = readLog(join(home, 'run', 'log'))
        await stop()
        throw new Error(`mariadbd did not start: ${log}`, { cause: error })
      }
      await sleep(50)
    }
  }
  return {
    port,
    run: ask,
    stop,
    async openSessions() {
      const [row] = await ask(
        `select count(*) as n from information_schema.PROCESSLIST where ID <> connection_id() and USER <> 'system user'`,
      )
      return Number(row?.['n'])
    },
  }
}

function userNamed(name: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${name}`)
  return { uid: Number(uid), gid: Number(gid) }
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-2000)
  } catch {
    return 'it wrote no log'
  }
}
