import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { openHttp } from '../../dialer/open-http.ts'
import type { OpenOptions, SessionPurpose } from '../engine.ts'
import type { QueryEvent, QueryOptions } from '../query-events.ts'
import { statementTimedOut } from '../statement-error.ts'
import { isRecord } from '../read-body.ts'
import { serviceAccountTokens, type AccessTokenSource, type TokenEndpoint } from '../../secrets/google/access-token.ts'
import { ambientTokens } from '../../secrets/google/ambient-token.ts'
import { commandOf, scanSpannerStatements, statementKind, type SpannerDialect } from './classify.ts'
import { NOT_FOUND, spannerFailure } from './errors.ts'
import { isEmulatorRoute, spannerInstance, spannerRestRoute, type SpannerInstance } from './options.ts'
import { SpannerRestClient } from './rest-client.ts'
import { runReadOnly, runChange, type SpannerStatement } from './run-query.ts'
import { runSchemaChange } from './run-schema-change.ts'

/** As little as Spanner asks for: data, and databases with their schemas. */
const SPANNER_SCOPES = ['https://www.googleapis.com/auth/spanner.data', 'https://www.googleapis.com/auth/spanner.admin']
const DATABASES_AT_A_TIME = 200
const CALL_TIMEOUT_MS = 30_000

/** A database as the admin API lists it. */
export interface SpannerDatabase {
  readonly name: string
  readonly isReady: boolean
}

/**
 * A way to one instance of Spanner that has logged in.
 * @throws PosternError UPSTREAM_* | INVALID_ARGUMENT for credentials that cannot be used
 */
export async function openSpannerDriver(
  route: DataSourceRoute,
  options: OpenOptions,
  endpoints: readonly TokenEndpoint[],
): Promise<SpannerDriver> {
  const deadlineAt = performance.now() + options.timeoutMs
  const tokens = tokenSource(route, options, endpoints)
  const restRoute = spannerRestRoute(route)
  const http = await openHttp(restRoute, { ...options.dialer, ...options, secrets: {} })
  const tokenRequest = { dialer: options.dialer, timeoutMs: options.timeoutMs }
  const driver = new SpannerDriver(
    spannerInstance(route),
    new SpannerRestClient(http, tokens, tokenRequest),
    options.purpose,
  )
  try {
    const leftMs = Math.max(1, Math.ceil(deadlineAt - performance.now()))
    const timeout = AbortSignal.timeout(leftMs)
    await driver.ping(options.signal ? AbortSignal.any([timeout, options.signal]) : timeout, route.database)
    options.onStage?.('login')
    return driver
  } catch (thrown) {
    await driver.close()
    throw thrown
  }
}

function tokenSource(
  route: DataSourceRoute,
  options: OpenOptions,
  endpoints: readonly TokenEndpoint[],
): AccessTokenSource | undefined {
  if (isEmulatorRoute(route)) return undefined
  if (route.loginMethod === 'ambient')
    return ambientTokens(spannerInstance(route).projectId, SPANNER_SCOPES, options.dialer)
  const { serviceAccount } = options.secrets
  if (serviceAccount === undefined) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'serviceAccount is missing: upload the JSON key of the service account',
      {
        detail: { field: 'serviceAccount' },
      },
    )
  }
  return serviceAccountTokens(serviceAccount, SPANNER_SCOPES, endpoints)
}

/** Calls on one instance, and at most one session in each of the databases that were worked in. Always close it. */
export class SpannerDriver {
  readonly instance: SpannerInstance
  readonly rest: SpannerRestClient
  readonly #purpose: SessionPurpose
  readonly #sessions = new Map<string, { readonly name: string; readonly dialect: SpannerDialect }>()

  constructor(instance: SpannerInstance, rest: SpannerRestClient, purpose: SessionPurpose) {
    this.instance = instance
    this.rest = rest
    this.#purpose = purpose
  }

  /** Asks for the least there is to ask: the database, or the first of the list where none is named. */
  async ping(signal: AbortSignal, database = ''): Promise<void> {
    const path = `${this.instance.name}/databases`
    if (database === '') await this.rest.call({ method: 'GET', path: `${path}?pageSize=1`, signal })
    else await this.rest.call({ method: 'GET', path: `${path}/${database}`, signal })
  }

  async listDatabases(): Promise<readonly SpannerDatabase[]> {
    const found: SpannerDatabase[] = []
    let pageToken = ''
    do {
      const query = new URLSearchParams({ pageSize: String(DATABASES_AT_A_TIME), ...(pageToken && { pageToken }) })
      const page = await this.rest.call({
        method: 'GET',
        path: `${this.instance.name}/databases?${query.toString()}`,
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      })
      for (const database of asList(page['databases'])) found.push(databaseOf(database))
      pageToken = typeof page['nextPageToken'] === 'string' ? page['nextPageToken'] : ''
    } while (pageToken !== '')
    return found
  }

  /** Statements, one after the other, each in a transaction of its own. */
  async *query(database: string, sql: string, options: QueryOptions): AsyncGenerator<QueryEvent> {
    if (database === '') {
      throw new PosternError('INVALID_ARGUMENT', 'database is missing: Spanner runs statements in a database', {
        detail: { field: 'database' },
      })
    }
    const timeout = AbortSignal.timeout(options.timeoutMs)
    const signal = AbortSignal.any([timeout, options.signal])
    try {
      const { dialect } = await this.#session(database, signal)
      for (const statement of scanSpannerStatements(sql, dialect)) {
        for await (const event of this.#run(database, { statement, wholeText: sql, signal })) {
          signal.throwIfAborted()
          yield event.type === 'complete' ? { ...event, command: commandOf(statement) } : event
        }
      }
    } catch (thrown) {
      if (options.signal.aborted) throw new PosternError('CANCELLED', 'the statement was cancelled', { cause: thrown })
      throw timeout.aborted ? statementTimedOut(options.timeoutMs, thrown) : thrown
    }
  }

  /** Rows of a read of our own. @param parameters for `@p1` or `$1` */
  async *read(
    database: string,
    sql: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly (string | null)[]> {
    const { name, dialect } = await this.#session(database, signal)
    const written = dialect === 'POSTGRESQL' ? sql.replaceAll(/@p(\d)/g, '$$$1') : sql
    const statement = { text: written, offset: 0, tokens: [], isOpen: false }
    const run = { rest: this.rest, sessionName: name, statement, wholeText: written, signal, parameters }
    for await (const event of runReadOnly(run)) if (event.type === 'rows') yield* event.rows
  }

  async dialectOf(database: string, signal: AbortSignal): Promise<SpannerDialect> {
    return (await this.#session(database, signal)).dialect
  }

  async close(): Promise<void> {
    const signal = AbortSignal.timeout(5000)
    // A session that is not deleted goes away on its own after an hour.
    for (const { name } of this.#sessions.values()) {
      await this.rest.try({ method: 'DELETE', path: name, signal }).catch(() => null)
    }
    this.#sessions.clear()
    await this.rest.close()
  }

  async *#run(database: string, run: Omit<SpannerStatement, 'rest' | 'sessionName'>): AsyncGenerator<QueryEvent> {
    const kind = statementKind(run.statement)
    if (kind !== 'query' && this.#purpose === 'read_only') {
      throw new PosternError('STATEMENT_NOT_READ_ONLY', `${commandOf(run.statement)} would change the database`)
    }
    if (kind === 'ddl') {
      const path = `${this.instance.name}/databases/${database}`
      return yield* runSchemaChange({ ...run, rest: this.rest, databaseName: path })
    }
    const { name } = await this.#session(database, run.signal)
    const inSession = { ...run, rest: this.rest, sessionName: name }
    if (kind === 'dml') yield* await runChange(inSession)
    else yield* runReadOnly(inSession)
  }

  async #session(database: string, signal: AbortSignal): Promise<{ name: string; dialect: SpannerDialect }> {
    const kept = this.#sessions.get(database)
    if (kept !== undefined) return kept
    const path = `${this.instance.name}/databases/${database}/sessions`
    const created = await this.rest.try({ method: 'POST', path, body: {}, signal })
    if ('failed' in created) {
      if (created.failed.code !== NOT_FOUND) throw spannerFailure(created.failed)
      throw new PosternError('DATABASE_NOT_FOUND', `the instance has no database ${database}`)
    }
    const { name } = created.ok
    if (typeof name !== 'string' || !name.startsWith(`${path}/`)) {
      throw new PosternError('UPSTREAM_PROTOCOL', 'Spanner did not name the session that it made')
    }
    const opened = { name, dialect: 'GOOGLE_STANDARD_SQL' as SpannerDialect }
    this.#sessions.set(database, opened)
    opened.dialect = await this.#readDialect(database, signal)
    return opened
  }

  /** In a table that both dialects have, since not every server tells it with the database. */
  async #readDialect(database: string, signal: AbortSignal): Promise<SpannerDialect> {
    const sql = `select option_value from information_schema.database_options where option_name = 'database_dialect'`
    for await (const [dialect] of this.read(database, sql, {}, signal)) {
      return dialect === 'POSTGRESQL' ? dialect : 'GOOGLE_STANDARD_SQL'
    }
    return 'GOOGLE_STANDARD_SQL'
  }
}

function databaseOf(database: unknown): SpannerDatabase {
  const { name, state } = isRecord(database) ? database : {}
  return { name: String(name).split('/').at(-1) ?? '', isReady: state !== 'CREATING' }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
