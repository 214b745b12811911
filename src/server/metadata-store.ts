import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Secret } from '../base/secret.ts'
import { scramVerifier } from '../crypto/scram-verifier.ts'
import type { OsUser } from '../postgres-server/os-user.ts'
import { claimSocketFolder } from '../postgres-server/socket-folder.ts'
import { type RunningPostgres, startLocalPostgres } from '../postgres-server/start-local-postgres.ts'
import type { Logger } from '../telemetry/logger.ts'

/** The metadata Postgres that Postern runs itself. */
export interface MetadataStore {
  /** For the store's own user, who is no superuser. Good until the supervisor ends. */
  readonly url: Secret
  stop(): Promise<void>
}

interface MetadataOptions {
  readonly home: string
  readonly socketRoot: string
  /** Who the server runs as; undefined: the current user. */
  readonly osUser: OsUser | undefined
  /** Who may reach its socket besides. */
  readonly reader: OsUser | undefined
  readonly logger: Logger
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
}

/** Bootstrap superuser of the metadata cluster; its password lies in the cluster's home (0600). */
export const SUPERUSER = 'postern_supervisor'
const OWNER = 'postern'
/** Where the metadata is. */
export const DATABASE = 'postern'
const FIRST_RESTART_MS = 200
const LONGEST_RESTART_MS = 10_000

/**
 * Starts the metadata Postgres, and starts it again whenever it ends unasked. The processes of Postern use a user without
 * superuser rights, whose password is new at every start and never lies in a file.
 * @throws PosternError LOCAL_POSTGRES_FAILED | DATA_FOLDER_UNUSABLE; the reason of `signal`
 */
export async function startMetadataStore(options: MetadataOptions): Promise<MetadataStore> {
  const socketFolder = claimSocketFolder(options.socketRoot, 'meta', options.osUser, options.reader)
  const start = (signal: AbortSignal | undefined): Promise<RunningPostgres> =>
    startLocalPostgres({
      signal,
      folder: options.home,
      socketFolder,
      osUser: options.osUser,
      superuserName: SUPERUSER,
      hba: [`local all ${SUPERUSER} scram-sha-256`, `local ${DATABASE} ${OWNER} scram-sha-256`],
      settings: { max_connections: 200 },
    })
  let server = await start(options.signal)
  const password = new Secret(randomBytes(32).toString('base64url'))
  try {
    await makeOwnDatabase(server, password)
  } catch (error) {
    await server.stop()
    throw error
  }
  const stopping = new AbortController()
  const supervision = keepRunning()

  async function keepRunning(): Promise<void> {
    for (let pauseMs = FIRST_RESTART_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_RESTART_MS)) {
      const exit = await server.exited
      if (stopping.signal.aborted) return
      options.logger.error({ exit, restartInMs: pauseMs }, 'the metadata Postgres ended; it will be started again')
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      try {
        server = await start(stopping.signal)
        pauseMs = FIRST_RESTART_MS / 2
        if (stopping.signal.aborted) await server.stop()
      } catch (error) {
        if (stopping.signal.aborted) return
        options.logger.error({ err: error }, 'the metadata Postgres did not start')
      }
    }
  }

  const host = encodeURIComponent(server.socketFolder)
  return {
    url: new Secret(
      `postgresql://${OWNER}:${password.reveal()}@localhost/${DATABASE}?host=${host}&port=${server.port}`,
    ),
    async stop() {
      stopping.abort()
      await Promise.all([server.stop(), supervision])
    },
  }
}

async function makeOwnDatabase(server: RunningPostgres, password: Secret): Promise<void> {
  const session = new pg.Client({
    host: server.socketFolder,
    port: server.port,
    user: server.superuserName,
    password: server.superuserPassword.reveal(),
    ssl: false,
    database: 'postgres',
    statement_timeout: 60_000,
  })
  session.on('error', () => undefined)
  await session.connect()
  try {
    const role = await session.query('select from pg_roles where rolname = $1', [OWNER])
    if (role.rowCount === 0) await session.query(`create role ${OWNER} login`)
    await session.query(`alter role ${OWNER} password ${pg.escapeLiteral(await scramVerifier(password))}`)
    const database = await session.query('select from pg_database where datname = $1', [DATABASE])
    if (database.rowCount === 0) await session.query(`create database ${DATABASE} owner ${OWNER}`)
  } finally {
    await session.end().catch(() => undefined)
  }
}
