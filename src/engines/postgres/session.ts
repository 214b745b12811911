import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DatabaseSummary, DescribedSchema, DescribeOptions } from '../catalog-shapes.ts'
import type { EngineSession, OpenOptions, PrivilegeReport } from '../engine.ts'
import { Interruption } from '../interruption.ts'
import type { QueryEvent, QueryOptions } from '../query-events.ts'
import { statementFailed, statementTimedOut } from '../statement-error.ts'
import { cancelStatement } from './cancel-statement.ts'
import { describeDatabase } from './describe.ts'
import { openStatementClient, type UpstreamClient } from './driver.ts'
import { sqlstateOf, translatePostgresError, translateStatementError } from './errors.ts'
import { listDatabases, readServerVersion } from './introspect.ts'
import type { OwnQuery } from './own-query.ts'
import { checkPrivileges } from './privileges.ts'
import { refused, refusedFunction, requireReading, volatileFunctionsQuery } from './read-only.ts'
import { safeSession, sessionForStatements, statementLimitMs } from './safe-session.ts'
import { splitStatements, type SplitStatement } from './split-statements.ts'
import { StatementRunner } from './statement-runner.ts'
import { TypeNames } from './type-names.ts'

/** A little above what the server was told for statements of our own. */
const OWN_QUERY_TIMEOUT_MS = 20_000
const CANCEL_TIMEOUT_MS = 5_000
const QUERY_CANCELED = '57014'

/** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND */
export async function openPostgresSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  const deadlineAt = performance.now() + options.timeoutMs
  const { client, stream } = await openStatementClient(route, options)
  try {
    const version = await withDeadline(
      readServerVersion(client, route.engine),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    return new PostgresSession(route, options, client, stream, version)
  } catch (thrown) {
    stream.destroy()
    throw translatePostgresError(thrown)
  }
}

/**
 * A session of a client that is logged in already, as somebody whose statements alone are to run in it.
 * @param cancel sends a CancelRequest for it, and resolves once the server has acted on it
 */
export async function postgresSessionOf(
  route: DataSourceRoute,
  options: OpenOptions,
  { client, stream }: UpstreamClient,
  cancel: () => Promise<void>,
): Promise<EngineSession> {
  return new PostgresSession(route, options, client, stream, await readServerVersion(client, route.engine), cancel)
}

/**
 * States: `own` (search path and limits are ours) ─query()► `lent` (those of the database, for somebody's SQL) ─next work of our
 * own► `own`. A read-only session runs each call of `query` in a read-only transaction, which it rolls back.
 */
class PostgresSession implements EngineSession {
  readonly serverVersion: string
  readonly #route: DataSourceRoute
  readonly #options: OpenOptions
  readonly #client: pg.Client
  readonly #stream: Duplex
  readonly #runner: StatementRunner
  #isLent = false
  #isBusy = false
  #backslashEscapes = false

  constructor(
    route: DataSourceRoute,
    options: OpenOptions,
    client: pg.Client,
    stream: Duplex,
    serverVersion: string,
    cancel?: () => Promise<void>,
  ) {
    const { onStage: _, signal: __, ...quietly } = options
    this.serverVersion = serverVersion
    this.#route = route
    this.#options = quietly
    this.#client = client
    this.#stream = stream
    const typeNames = new TypeNames(async (sql) => {
      const { rows } = await this.#bounded(client.query<(string | null)[]>({ text: sql, rowMode: 'array' }))
      return rows[0] ?? []
    }, route.engine === 'postgres')
    this.#runner = new StatementRunner(client, stream, typeNames, cancel ?? (() => this.#sendCancel()))
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
    connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'standard_conforming_strings') this.#backslashEscapes = parameterValue === 'off'
    })
  }

  async ping(): Promise<void> {
    await this.#ownWork(() => this.#own('select 1'))
  }

  checkPrivileges(): Promise<PrivilegeReport> {
    return this.#ownWork(() => checkPrivileges(this.#own, this.#route.engine, this.#options.purpose))
  }

  listDatabases(): Promise<readonly DatabaseSummary[]> {
    return this.#ownWork(() => listDatabases(this.#own, this.#route.engine))
  }

  async *describe(database: string, options: DescribeOptions): AsyncGenerator<DescribedSchema, void> {
    if (database !== this.#route.database) {
      const route = { ...this.#route, database }
      const there = await openPostgresSession(route, { ...this.#options, signal: options.signal })
      try {
        yield* there.describe(database, options)
      } finally {
        await there.close()
      }
      return
    }
    await this.#ownWork(async () => undefined)
    yield* describeDatabase(this.#own, this.#route.engine, options)
  }

  async *query(text: string, options: QueryOptions): AsyncGenerator<QueryEvent, void> {
    if (text.includes('\0')) throw new PosternError('INVALID_ARGUMENT', 'statement must not contain a zero byte')
    this.#claim()
    const interruption = new Interruption(options)
    interruption.onRequest(() => void this.#runner.interrupt())
    try {
      interruption.check()
      await this.#lend(options.timeoutMs)
      for (const statement of splitStatements(text, () => this.#backslashEscapes)) {
        interruption.check()
        yield* this.#run(statement, text, interruption)
      }
      yield* this.#runner.takeNotices()
    } finally {
      interruption.close()
      await this.#takeBack()
      this.#isBusy = false
    }
  }

  async close(): Promise<void> {
    if (this.#isBusy) this.#stream.destroy()
    // A server that does not answer must not hold up whoever is done with it.
    const timer = setTimeout(() => this.#stream.destroy(), OWN_QUERY_TIMEOUT_MS)
    await this.#client.end().catch(() => undefined)
    clearTimeout(timer)
    this.#stream.destroy()
  }

  async *#run(statement: SplitStatement, text: string, interruption: Interruption): AsyncGenerator<QueryEvent, void> {
    const isReadOnly = this.#options.purpose === 'read_only'
    const timeLimitMs = statementLimitMs(this.#route, interruption.timeoutMs)
    const startedAt = performance.now()
    try {
      refuseCopyIn(statement)
      if (isReadOnly) await this.#requireReading(statement)
      yield* this.#runner.run(statement.text)
    } catch (thrown) {
      if (interruption.isRequested) throw interruption.error(thrown)
      // The server's own time limit and somebody's pg_cancel_backend have the same code.
      const isLate = sqlstateOf(thrown) === QUERY_CANCELED && performance.now() - startedAt >= timeLimitMs
      if (isLate) throw statementTimedOut(timeLimitMs, thrown)
      throw translateStatementError(thrown, text, statement, isReadOnly)
    }
    if (interruption.isRequested) throw interruption.error(undefined)
    if (!isReadOnly || this.#client.getTransactionStatus() === 'T') return
    // It must not happen; if it does, nothing more may run in this session.
    this.#stream.destroy()
    throw refused('ended the read-only transaction')
  }

  async #requireReading(statement: SplitStatement): Promise<void> {
    const query = volatileFunctionsQuery(requireReading(statement))
    const found = query === undefined ? [] : await this.#own<{ name: string }>(query)
    if (found[0] !== undefined) throw refusedFunction(found[0].name)
  }

  async #lend(timeoutMs: number): Promise<void> {
    this.#isLent = true
    await this.#settled(sessionForStatements(this.#route, timeoutMs))
    if (this.#options.purpose === 'read_only') await this.#settled('begin read only')
  }

  async #takeBack(): Promise<void> {
    if (this.#options.purpose !== 'read_only' || this.#stream.destroyed) return
    await this.#settled('rollback').catch(() => this.#stream.destroy())
  }

  /** Does work of our own, in a session that is ours again. */
  async #ownWork<T>(work: () => Promise<T>): Promise<T> {
    this.#claim()
    try {
      if (this.#isLent) {
        if (this.#client.getTransactionStatus() !== 'I') await this.#settled('rollback')
        await this.#settled(safeSession(this.#route, this.#options.purpose))
        this.#isLent = false
      }
      return await work()
    } finally {
      this.#isBusy = false
    }
  }

  #claim(): void {
    if (this.#isBusy) throw new PosternError('INTERNAL', 'a session was asked for two things at once')
    this.#isBusy = true
  }

  #own: OwnQuery = async <R extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<R[]> =>
    (await this.#bounded(this.#client.query<R>(sql, values))).rows

  async #bounded<T>(asking: Promise<T>): Promise<T> {
    try {
      return await withDeadline(
        asking,
        OWN_QUERY_TIMEOUT_MS,
        'UPSTREAM_TIMED_OUT',
        'the database did not answer in time',
      )
    } catch (thrown) {
      // Its answer would be taken for that of the next one.
      if (sqlstateOf(thrown) === undefined) this.#stream.destroy()
      throw translatePostgresError(thrown)
    }
  }

  /** Once more where a CancelRequest arrived when its statement was over already. */
  async #settled(sql: string): Promise<void> {
    try {
      await this.#own(sql)
    } catch (thrown) {
      if (!(thrown instanceof PosternError) || sqlstateOf(thrown.cause) !== QUERY_CANCELED) throw thrown
      await this.#own(sql)
    }
  }

  #sendCancel(): Promise<void> {
    const { processID: processId, secretKey } = this.#client as unknown as { processID: number; secretKey: number }
    const { dialer, secrets } = this.#options
    return cancelStatement(
      this.#route,
      { processId, secretKey },
      { ...dialer, secrets, timeoutMs: Math.min(this.#options.timeoutMs, CANCEL_TIMEOUT_MS) },
    )
  }
}

/** It would wait for data that nobody has. */
function refuseCopyIn({ tokens }: SplitStatement): void {
  if (
    tokens[0]?.text !== 'copy' ||
    !tokens.some(({ text }, at) => text === 'from' && tokens[at + 1]?.text === 'stdin')
  ) {
    return
  }
  throw statementFailed('COPY FROM STDIN has no data here', { hint: 'Use INSERT, or the gateway with psql.' })
}
