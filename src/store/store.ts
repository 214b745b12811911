import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { NotificationListener } from './notification-listener.ts'
import type { Schema } from './schema.ts'
import { StoreClient, StorePool } from './store-client.ts'
import { secureStoreUrl } from './store-url.ts'

/**
 * The metadata store: a pool of sessions on one Postgres, and LISTEN/NOTIFY between the processes and nodes that share it.
 * Statements are cut off after {@link StoreOptions.statementLimitMs}; a transaction left idle for as long is ended by the server.
 */
export interface Store {
  readonly db: Kysely<Schema>
  /** For the few hot statements that are prepared by hand; everything else goes through `db`. */
  readonly pool: pg.Pool
  /**
   * Calls `onPayload` for every NOTIFY on `channel`. Notifications sent while the session was away are lost: after every
   * reconnect `onResync` is called instead, and the listener must then read what it watches again.
   * @param channel lower-case name, `postern_…`
   * @returns once LISTEN is in force; call the returned function to stop
   */
  listen(channel: string, onPayload: (payload: string) => void, onResync?: () => void): Promise<() => Promise<void>>
  /** Sends at once. To notify with a change, call pg_notify inside the change's own transaction. */
  notify(channel: string, payload: string): Promise<void>
  close(): Promise<void>
}

export interface StoreOptions {
  /** `postgresql://…`; `?host=/folder` for a Unix socket. Without `sslmode`, a host that is not local is verified in full. */
  readonly url: Secret
  readonly poolSize: number
  /** Shown in pg_stat_activity, for operators. */
  readonly applicationName: string
  /** Longest statement; default 15 seconds. A store that does not even refuse in time is taken to be away. */
  readonly statementLimitMs?: number
}

const DEFAULT_STATEMENT_LIMIT_MS = 15_000
/** The server's own refusal, which keeps the session, is given time to arrive. */
const SILENCE_MS = 1_000
const CONNECT_TIMEOUT_MS = 5_000
/** A server that hangs never answers a goodbye. */
const CLOSE_LIMIT_MS = 2_000

/**
 * Opens the store and proves that it answers.
 * @throws PosternError STORE_UNAVAILABLE | CONFIG_INVALID
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = prepareStore(options)
  try {
    await store.pool.query('select 1')
    return store
  } catch (cause) {
    await store.close()
    throw new PosternError('STORE_UNAVAILABLE', 'The metadata store does not answer.', { cause })
  }
}

/**
 * The store as {@link openStore} gives it, whether it answers or not: its first use shows. Files that the URL names are read here.
 * @throws PosternError CONFIG_INVALID
 */
export function prepareStore(options: StoreOptions): Store {
  const connectionString = secureStoreUrl(options.url)
  const { statementLimitMs = DEFAULT_STATEMENT_LIMIT_MS } = options
  const answerLimitMs = statementLimitMs + SILENCE_MS
  const poolOptions = {
    Client: StoreClient,
    connectionString,
    answerLimitMs,
    max: options.poolSize,
    // Opening a session takes several round trips: the first login after a pause must not pay for them out of its deadline.
    min: Math.min(2, options.poolSize),
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    statement_timeout: statementLimitMs,
    idle_in_transaction_session_timeout: statementLimitMs,
    keepAlive: true,
    types: typeParsers(),
  }
  const pool = new StorePool(poolOptions)
  // A session that dies is replaced at its next use, and whoever waits for it hears of it by his statement; unheard, these
  // events would end the process. The pool itself listens to a session only while nobody has it.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const listener = new NotificationListener(
    () =>
      new StoreClient({
        connectionString,
        answerLimitMs,
        application_name: `${options.applicationName} listen`,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        keepAlive: true,
      }),
  )
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
  let closing: Promise<void> | undefined
  return {
    db,
    pool,
    listen: (channel, onPayload, onResync) => listener.listen(channel, onPayload, onResync),
    async notify(channel, payload) {
      await pool.query('select pg_notify($1, $2)', [channel, payload])
    },
    close() {
      closing ??= endWithin(CLOSE_LIMIT_MS, Promise.all([listener.close(), pool.end()]))
      return closing
    },
  }
}

async function endWithin(limitMs: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, sleep(limitMs, undefined, { ref: false })])
}

/** int8 as text whatever another module sets on pg's shared parsers: ids lose digits as numbers. */
function typeParsers(): pg.CustomTypesConfig {
  const overrides = new pg.TypeOverrides()
  overrides.setTypeParser(pg.types.builtins.INT8, (text: string) => text)
  return overrides
}
