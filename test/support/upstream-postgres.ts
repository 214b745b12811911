import { randomBytes } from 'node:crypto'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Secret } from '../../src/base/secret.ts'
import { findBinaries } from '../../src/postgres-server/binaries.ts'
import { openClusterFolder } from '../../src/postgres-server/cluster-folder.ts'
import { initCluster } from '../../src/postgres-server/init-cluster.ts'
import { currentUid, ensureOsUser } from '../../src/postgres-server/os-user.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'

/** Somebody else's Postgres: on a TCP port of loopback, with TLS where a certificate is given. Call `stop` in afterAll. */
export interface UpstreamPostgres {
  readonly port: number
  /** A session of the superuser `postgres`; the caller ends it. */
  superuser(database?: string): Promise<pg.Client>
  /** Starts a streaming standby of it, a server of its own with the same TLS and pg_hba.conf; the caller stops it. */
  standby(): Promise<UpstreamPostgres>
  /** Shows another certificate from now on. */
  setCertificate(tls: TlsIdentity): Promise<void>
  stop(): Promise<void>
}

const START_LIMIT_MS = 30_000

/**
 * @param hba lines of pg_hba.conf before the superuser's own
 * @param clientCaPem authority of client certificates, which `clientcert` in a line of `hba` then asks for
 * @param settings more of `name=value`; they win over ours
 */
export async function startUpstreamPostgres(options: {
  tls?: TlsIdentity
  clientCaPem?: string
  hba: readonly string[]
  settings?: readonly string[]
}): Promise<UpstreamPostgres> {
  return start(options)
}

type UpstreamOptions = Parameters<typeof startUpstreamPostgres>[0]

/** Where a standby begins. */
interface Primary {
  readonly port: number
  readonly password: Secret
  readonly data: string
}

async function start(options: UpstreamOptions, primary?: Primary): Promise<UpstreamPostgres> {
  const home = mkdtempSync(join(tmpdir(), 'upstream-'))
  chmodSync(home, 0o711)
  const user = currentUid() === 0 ? await ensureOsUser('postern-meta', () => undefined) : undefined
  const folder = openClusterFolder(join(home, 'cluster'), user)
  const binaries = findBinaries(user)
  const password = primary?.password ?? new Secret(randomBytes(16).toString('hex'))
  if (primary !== undefined) await copyRunning(primary, folder.data)
  else
    await initCluster(folder, binaries, user, {
      superuserName: 'postgres',
      superuserPassword: password,
      durable: false,
    })
  const write = (name: string, text: string): string => {
    const path = join(folder.data, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  const writeTls = (tls: TlsIdentity) => [
    write('server.crt', tls.certificateChainPem),
    write('server.key', tls.privateKeyPem),
  ]
  const port = await freePort()
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'shared_buffers=16MB',
    'max_connections=40',
    `hba_file=${write('hba.conf', `${[...options.hba, 'host all,replication postgres 127.0.0.1/32 scram-sha-256'].join('\n')}\n`)}`,
  ]
  if (options.tls) {
    const [certificate, key] = writeTls(options.tls)
    settings.push('ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`)
  }
  if (options.clientCaPem) settings.push(`ssl_ca_file=${write('clients.crt', options.clientCaPem)}`)
  settings.push(...(options.settings ?? []))
  if (primary !== undefined) {
    const login = `host=127.0.0.1 port=${primary.port} user=postgres password=${primary.password.reveal()}`
    settings.push(`primary_conninfo=${login} sslmode=prefer`)
  }
  const server = spawn(
    binaries.postgres,
    ['-D', '.', '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    {
      cwd: folder.data,
      env: { LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', process.env.POSTERN_TEST_LOG === undefined ? 'ignore' : 'inherit'],
      ...(user && { uid: user.uid, gid: user.gid }),
    },
  )
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const killAtExit = (): void => void server.kill('SIGQUIT')
  process.once('exit', killAtExit)
  const superuser = async (database = 'postgres'): Promise<pg.Client> => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: password.reveal(), database })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    server.kill('SIGQUIT')
    await exited
    rmSync(home, { recursive: true, force: true })
  }
  const deadlineAt = Date.now() + START_LIMIT_MS
  for (;;) {
    try {
      await (await superuser()).end()
      break
    } catch (error) {
      if (Date.now() > deadlineAt || server.exitCode !== null) {
        await stop()
        throw error
      }
      await sleep(30)
    }
  }
  return {
    port,
    superuser,
    standby: () => start(options, { port, password, data: folder.data }),
    stop,
    async setCertificate(tls) {
      writeTls(tls)
      const client = await superuser()
      await client.query('select pg_reload_conf()')
      await client.end()
      await sleep(300)
    },
  }
}

/** A copy of a running cluster's files that becomes a standby of it, as an online backup is made. */
async function copyRunning(primary: Primary, data: string): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: primary.port,
    user: 'postgres',
    password: primary.password.reveal(),
    database: 'postgres',
  })
  await client.connect()
  await client.query(`select pg_backup_start('standby', true)`)
  execFileSync('cp', ['-a', primary.data, data])
  const { rows } = await client.query<{ label: string }>('select labelfile as label from pg_backup_stop(false)')
  await client.end()
  rmSync(join(data, 'postmaster.pid'), { force: true })
  writeFileSync(join(data, 'backup_label'), rows[0]!.label)
  writeFileSync(join(data, 'standby.signal'), '')
  for (const name of ['backup_label', 'standby.signal']) {
    if (currentUid() === 0) execFileSync('chown', ['--reference', data, join(data, name)])
  }
}

/** Free a moment ago; nothing on a test machine takes ports that fast. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
