import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { findBinaries } from './binaries.ts'
import { dataPathFor, openClusterFolder, superuserPassword } from './cluster-folder.ts'
import { writeServerConfiguration } from './configuration.ts'
import { initCluster } from './init-cluster.ts'
import type { OsUser } from './os-user.ts'
import { ServerLog } from './server-log.ts'
import { clearOrphans, clearStalePostmaster } from './stale-postmaster.ts'

export interface LocalPostgresOptions {
  /** The cluster's home, made if missing; see cluster-folder.ts for what is in it. */
  readonly folder: string
  /** A private folder for the Unix socket, from claimSocketFolder. */
  readonly socketFolder: string
  /** Who the server runs as. Required as root, because Postgres refuses root; otherwise the current user. */
  readonly osUser?: OsUser
  readonly superuserName: string
  /** Lines for postgresql.conf beyond the fixed ones. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Lines of pg_hba.conf; default: the local socket by SCRAM and nothing else. */
  readonly hba?: readonly string[]
  /** Lines of pg_ident.conf. */
  readonly ident?: readonly string[]
  /** Files of extensions besides those that come with the server, by name. */
  readonly extensions?: Readonly<Record<string, string>>
  /** false trades crash safety for speed, for throw-away clusters. Default true. */
  readonly durable?: boolean
  /** Ends a start that is under way; a recovery after a crash may take any time. A server that accepts connections is left alone. */
  readonly signal?: AbortSignal
}

export interface PostgresExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A Postgres server of ours that accepts connections. */
export interface RunningPostgres {
  readonly socketFolder: string
  /** Part of the socket's name; nothing listens on TCP. */
  readonly port: number
  readonly pid: number
  readonly superuserName: string
  readonly superuserPassword: Secret
  readonly systemIdentifier: string
  /** As the server says it, `18.4`. */
  readonly serverVersion: string
  /** Settles when the server is gone, whether asked to or not. */
  readonly exited: Promise<PostgresExit>
  /**
   * Fast shutdown (sessions are ended, nothing is lost); immediate once `limitMs` has passed (default 10 seconds), and what
   * hangs then is killed. Resolves at most 11 seconds after that, with every process of the server gone. Idempotent.
   */
  stop(limitMs?: number): Promise<void>
}

const PORT = 5432
/** Longer silence than this after the start is a failure; recovery after a crash answers 57P03 and may take any time. */
const SILENCE_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 10_000
/** The server itself kills what hangs of it 5 seconds after SIGQUIT. */
const IMMEDIATE_LIMIT_MS = 6_000
const KILL_LIMIT_MS = 2_000

/**
 * Starts the Postgres server of a cluster folder and makes the cluster first if there is none. Ready means: a session was
 * opened. A server that a killed supervisor left running there is ended before, so there are never two.
 * @throws PosternError LOCAL_POSTGRES_FAILED (its log is named) | DATA_FOLDER_UNUSABLE; the reason of `signal`
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<RunningPostgres> {
  const { osUser: user, superuserName, socketFolder, durable = true, signal } = options
  signal?.throwIfAborted()
  const binaries = findBinaries(user)
  const folder = openClusterFolder(options.folder, user)
  const password = superuserPassword(folder)
  await initCluster(folder, binaries, user, { superuserName, superuserPassword: password, durable })
  await clearStalePostmaster(folder.data)
  signal?.throwIfAborted()
  const configuration = writeServerConfiguration(folder, user, {
    settings: options.settings ?? {},
    hba: options.hba ?? ['local all all scram-sha-256'],
    ident: options.ident ?? [],
    extensions: options.extensions ?? {},
    socketFolder,
    durable,
  })
  const log = new ServerLog(folder.log)
  const child = spawnServer(binaries.postgres, folder.data, configuration, user, log)
  const exited = new Promise<PostgresExit>((resolve) => {
    child.on('exit', (code, endedBy) => resolve({ code, signal: endedBy }))
    child.on('error', () => resolve({ code: null, signal: null }))
  })
  const stop = onceOnly((limitMs: number) => stopServer(child, exited, folder.data, limitMs))
  try {
    const facts = await unlessAborted(signal, waitUntilReady(options, password, exited))
    return {
      socketFolder,
      port: PORT,
      pid: child.pid!,
      superuserName,
      superuserPassword: password,
      ...facts,
      exited,
      stop: (limitMs = STOP_LIMIT_MS) => stop(limitMs),
    }
  } catch (cause) {
    await stop(STOP_LIMIT_MS)
    signal?.throwIfAborted()
    throw new PosternError('LOCAL_POSTGRES_FAILED', `Postgres in ${options.folder} did not start.`, {
      hint: `Its log is ${folder.log}; the last lines are: ${tail(folder.log)}`,
      cause,
    })
  }
}

function spawnServer(
  program: string,
  data: string,
  configuration: string,
  user: OsUser | undefined,
  log: ServerLog,
): ChildProcess {
  const files = { config_file: 'postgresql.conf', hba_file: 'pg_hba.conf', ident_file: 'pg_ident.conf' }
  const args = ['-D', dataPathFor(data, user), '-p', String(PORT)]
  for (const [setting, file] of Object.entries(files)) args.push('-c', `${setting}=${join(configuration, file)}`)
  const child = spawn(program, args, {
    cwd: data,
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C in the terminal must reach the supervisor alone, which stops the metadata last.
    detached: true,
    ...(user && { uid: user.uid, gid: user.gid }),
  })
  child.stdout?.on('data', (chunk: Uint8Array) => log.append(chunk))
  child.stderr?.on('data', (chunk: Uint8Array) => log.append(chunk))
  return child
}

async function waitUntilReady(
  options: LocalPostgresOptions,
  password: Secret,
  exited: Promise<PostgresExit>,
): Promise<{ systemIdentifier: string; serverVersion: string }> {
  let gone: PostgresExit | undefined
  void exited.then((exit) => (gone = exit))
  let silentSince = Date.now()
  for (;;) {
    const client = new pg.Client({
      host: options.socketFolder,
      port: PORT,
      user: options.superuserName,
      password: password.reveal(),
      database: 'postgres',
      ssl: false,
      connectionTimeoutMillis: 5_000,
      application_name: 'postern supervisor',
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rows } = await client.query<{ id: string; version: string }>(
        `select system_identifier::text as id, current_setting('server_version') as version from pg_control_system()`,
      )
      return { systemIdentifier: rows[0]!.id, serverVersion: rows[0]!.version.split(' ')[0]! }
    } catch (error) {
      const code = (error as { code?: string }).code ?? ''
      if (gone) throw new Error(`the server ended (${gone.code ?? gone.signal})`, { cause: error })
      if (code === CANNOT_CONNECT_NOW) silentSince = Date.now()
      else if (!NOT_YET.has(code) || Date.now() - silentSince > SILENCE_LIMIT_MS) throw error
    } finally {
      await client.end().catch(() => undefined)
    }
    await sleep(20)
  }
}

/** SQLSTATE cannot_connect_now: the server is up and recovering. */
const CANNOT_CONNECT_NOW = '57P03'
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

async function stopServer(
  child: ChildProcess,
  exited: Promise<PostgresExit>,
  data: string,
  limitMs: number,
): Promise<void> {
  const steps = [
    { signal: 'SIGINT', waitMs: limitMs },
    { signal: 'SIGQUIT', waitMs: IMMEDIATE_LIMIT_MS },
    { signal: 'SIGKILL', waitMs: KILL_LIMIT_MS },
  ] as const
  for (const { signal, waitMs } of steps) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break
    child.kill(signal)
    const timer = new AbortController()
    const late = sleep(waitMs, 'late', { signal: timer.signal }).catch(() => 'ended')
    const outcome = await Promise.race([exited, late])
    timer.abort()
    if (outcome !== 'late') break
  }
  await clearOrphans(data)
  // A process of the server that could not be ended holds the other end, and would keep ours from ending as well.
  child.stdout?.destroy()
  child.stderr?.destroy()
}

/** The work goes on; here it ends with the server that it waits for. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function onceOnly<A>(action: (argument: A) => Promise<void>): (argument: A) => Promise<void> {
  let running: Promise<void> | undefined
  return (argument) => (running ??= action(argument))
}

function tail(path: string): string {
  if (!existsSync(path)) return '(empty)'
  return readFileSync(path, 'utf8').trim().split('\n').slice(-3).join(' | ')
}
