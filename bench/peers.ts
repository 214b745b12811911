import { spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TlsIdentity } from '../src/transport/byte-socket.ts'
import { waitUntilAccepting } from './accepting.ts'
import type { RunningPeer, UnixUpstream, Way } from './way.ts'

export interface PeerOptions {
  readonly upstream: UnixUpstream
  readonly tls: TlsIdentity
  readonly caFile: string
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The user `nobody`: PgBouncer refuses to run as root. */
const nobody = 65_534

/**
 * PgBouncer in session mode with client TLS. It asks for a cleartext password, as the gateway does; everything else is its
 * default, but for limits that would end a run.
 */
export function startPgbouncer(options: PeerOptions): Promise<RunningPeer> {
  return startPeer('pgbouncer', options, (folder, port) => ({
    command: ['/usr/sbin/pgbouncer', join(folder, 'peer.conf')],
    files: {
      'users.txt': `"${options.user}" "${options.password}"\n`,
      'peer.conf': `[databases]
* = host=${options.upstream.folder} port=${options.upstream.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
pool_mode = session
auth_type = plain
auth_file = ${join(folder, 'users.txt')}
client_tls_sslmode = require
client_tls_cert_file = ${join(folder, 'server.crt')}
client_tls_key_file = ${join(folder, 'server.key')}
max_client_conn = 8000
default_pool_size = 8000
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
`,
    },
  }))
}

/** stunnel with the Postgres negotiation: TLS on one side, bytes on the other. */
export function startStunnel(options: PeerOptions): Promise<RunningPeer> {
  return startPeer('stunnel', options, (folder, port) => ({
    command: ['/usr/bin/stunnel4', join(folder, 'peer.conf')],
    files: {
      'peer.conf': `foreground = yes
pid =
debug = err
[postgres]
accept = 127.0.0.1:${port}
connect = ${options.upstream.folder}/.s.PGSQL.${options.upstream.port}
protocol = pgsql
cert = ${join(folder, 'server.crt')}
key = ${join(folder, 'server.key')}
`,
    },
  }))
}

async function startPeer(
  name: Way['name'],
  options: PeerOptions,
  plan: (folder: string, port: number) => { command: readonly string[]; files: Readonly<Record<string, string>> },
): Promise<RunningPeer> {
  const folder = mkdtempSync('/tmp/postern-bench-peer-')
  const port = await freePort()
  const { command, files } = plan(folder, port)
  const [program = '', ...args] = command
  if (!existsSync(program)) throw new Error(`${program} is not installed`)
  const { certificateChainPem, privateKeyPem } = options.tls
  const asRoot = process.getuid?.() === 0
  const all = { ...files, 'server.crt': certificateChainPem, 'server.key': privateKeyPem }
  for (const [file, text] of Object.entries(all)) {
    writeFileSync(join(folder, file), text, { mode: 0o600 })
    if (asRoot) chownSync(join(folder, file), nobody, nobody)
  }
  chmodSync(folder, 0o711)
  const child = spawn(program, args, {
    stdio: 'ignore',
    ...(asRoot && { uid: nobody, gid: nobody }),
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  await waitUntilAccepting(port)
  const { user, password, database, caFile } = options
  return {
    way: {
      name,
      target: { host: 'localhost', port, user, password, database, sslrootcert: caFile },
      pids: () => [child.pid ?? -1],
    },
    async stop() {
      process.off('exit', killAtExit)
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Free a moment ago. */
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
