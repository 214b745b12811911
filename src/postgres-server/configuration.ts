import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ClusterFolder } from './cluster-folder.ts'
import { currentUid, type OsUser } from './os-user.ts'
import { findBarrier } from './traversal.ts'

/** What goes into postgresql.conf, pg_hba.conf and pg_ident.conf. */
export interface ServerConfiguration {
  readonly settings: Readonly<Record<string, string | number>>
  readonly hba: readonly string[]
  readonly ident: readonly string[]
  readonly socketFolder: string
  /** Files of extensions besides those that come with the server, by name. */
  readonly extensions: Readonly<Record<string, string>>
  /** false trades crash safety for speed: for throw-away clusters. */
  readonly durable: boolean
}

/** Every server that Postern runs: reachable by its Unix socket alone, and not to be reconfigured by SQL. */
const FIXED = {
  listen_addresses: '',
  unix_socket_permissions: '0777',
  allow_alter_system: 'off',
  password_encryption: 'scram-sha-256',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_timezone: 'UTC',
  max_wal_senders: 0,
} as const

const DEFAULTS = {
  shared_buffers: '64MB',
  max_connections: 100,
  timezone: 'UTC',
  lc_messages: 'C',
} as const

const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const

/**
 * Writes the three files anew at every start, so that they are what this version of Postern means, and readable but not
 * writable by the server's user.
 * @returns their folder: the cluster's home or, where the server's user cannot pass the folders above it, one beside the socket
 */
export function writeServerConfiguration(
  folder: ClusterFolder,
  user: OsUser | undefined,
  configuration: ServerConfiguration,
): string {
  const target = user && findBarrier(folder.home, user) ? `${configuration.socketFolder}.conf` : folder.home
  if (target !== folder.home) {
    mkdirSync(target, { recursive: true })
    chmodSync(target, 0o711)
  }
  const share = join(target, 'share')
  writeExtensions(join(share, 'extension'), configuration.extensions, user)
  const settings = {
    ...DEFAULTS,
    ...configuration.settings,
    ...(configuration.durable ? {} : NOT_DURABLE),
    ...FIXED,
    unix_socket_directories: configuration.socketFolder,
    extension_control_path: `$system:${share}`,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`)
  writeConfiguration(join(target, 'postgresql.conf'), lines, user)
  writeConfiguration(join(target, 'pg_hba.conf'), configuration.hba, user)
  writeConfiguration(join(target, 'pg_ident.conf'), configuration.ident, user)
  return target
}

function writeConfiguration(path: string, lines: readonly string[], user: OsUser | undefined): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${lines.join('\n')}\n`, { mode: 0o600 })
  letRead(draft, user)
  renameSync(draft, path)
}

/** What runs as the server's superuser is for nobody else to write: root's, or ours where we are the server's user. */
function writeExtensions(folder: string, files: Readonly<Record<string, string>>, user: OsUser | undefined): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  letRead(dirname(folder), user)
  letRead(folder, user)
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    letRead(path, user)
  }
}

/** Of a file or folder of ours: the server's user may read it, nobody else and nothing more. */
function letRead(path: string, user: OsUser | undefined): void {
  const mode = statSync(path).isDirectory() ? 0o700 : 0o600
  if (user) chownSync(path, currentUid(), user.gid)
  chmodSync(path, user ? mode | ((mode >> 3) & 0o050) : mode)
}
