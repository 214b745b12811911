import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { currentUid, ensureOsUser, type OsUser } from '../../../src/postgres-server/os-user.ts'
import type { TlsIdentity } from '../../../src/transport/byte-socket.ts'

const START_LIMIT_MS = 60_000

/**
 * A server of Debian's Postgres on one TCP port of loopback that can go back to a state it once had: both ways begin with
 * the very same cluster, system identifier, object ids and all.
 */
export class SnapshotCluster {
  readonly port: number
  readonly #bin: string
  readonly #home: string
  readonly #user: OsUser | undefined
  #server: ChildProcess | undefined

  private constructor(bin: string, home: string, port: number, user: OsUser | undefined) {
    this.#bin = bin
    this.#home = home
    this.port = port
    this.#user = user
    process.once('exit', () => this.#server?.kill('SIGQUIT'))
  }

  /**
   * Makes the cluster, with the locale and the settings of pg_regress' own temporary instance, and starts it.
   * @param home an existing folder that the server's user can enter
   */
  static async start(bin: string, home: string, port: number, tls: TlsIdentity): Promise<SnapshotCluster> {
    const user = currentUid() === 0 ? await ensureOsUser('postern-meta', () => undefined) : undefined
    const cluster = new SnapshotCluster(bin, home, port, user)
    for (const name of ['data', 'socket']) cluster.#own(join(home, name), (path) => mkdirSync(path, { mode: 0o700 }))
    chmodSync(join(home, 'socket'), 0o755)
    const args = ['-D', cluster.#data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C']
    const made = spawnSync(join(bin, 'initdb'), args, cluster.#asUser())
    if (made.status !== 0) throw new Error(`initdb failed: ${String(made.stderr)}`)
    const hba = [
      'local all postgres trust',
      'hostnossl all all 127.0.0.1/32 scram-sha-256',
      'hostssl all all 127.0.0.1/32 trust',
    ]
    for (const [name, text] of [
      ['server.crt', tls.certificateChainPem],
      ['server.key', tls.privateKeyPem],
      ['pg_hba.conf', `${hba.join('\n')}\n`],
    ] as const) {
      cluster.#own(join(cluster.#data, name), (path) => writeFileSync(path, text, { mode: 0o600 }))
    }
    await cluster.#startServer()
    return cluster
  }

  /** A session of the superuser `postgres`; the caller ends it. */
  async superuser(database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({ host: join(this.#home, 'socket'), port: this.port, user: 'postgres', database })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }

  /** Keeps the present state for {@link restore}. */
  async keep(): Promise<void> {
    await this.stop()
    copyFolder(this.#data, `${this.#data}.kept`)
    await this.#startServer()
  }

  /** Ends every session and goes back to the state that was kept. */
  async restore(): Promise<void> {
    await this.stop()
    rmSync(this.#data, { recursive: true })
    copyFolder(`${this.#data}.kept`, this.#data)
    await this.#startServer()
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGINT')
      await exited
    }
    this.#server = undefined
  }

  get #data(): string {
    return join(this.#home, 'data')
  }

  #own(path: string, make: (path: string) => void): void {
    make(path)
    if (this.#user) chownSync(path, this.#user.uid, this.#user.gid)
  }

  #asUser() {
    return {
      cwd: this.#home,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      ...(this.#user && { uid: this.#user.uid, gid: this.#user.gid }),
    }
  }

  async #startServer(): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${join(this.#home, 'socket')}`,
      'ssl=on',
      'fsync=off',
      'max_prepared_transactions=2',
      'log_autovacuum_min_duration=0',
    ]
    const args = ['-D', this.#data, '-p', String(this.port), ...settings.flatMap((setting) => ['-c', setting])]
    const stdio = process.env['POSTERN_TEST_LOG'] === undefined ? 'ignore' : 'inherit'
    const server = spawn(join(this.#bin, 'postgres'), args, { ...this.#asUser(), stdio })
    this.#server = server
    const deadlineAt = Date.now() + START_LIMIT_MS
    for (;;) {
      try {
        await (await this.superuser()).end()
        return
      } catch (error) {
        if (Date.now() > deadlineAt || server.exitCode !== null) throw error
        await sleep(50)
      }
    }
  }
}

/** With owners and modes, which `cpSync` leaves out. */
function copyFolder(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}
