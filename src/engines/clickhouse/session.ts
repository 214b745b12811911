import type { ClickHouseSettings } from '@clickhouse/client'
import { asPosternError, PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DatabaseSummary, DescribedSchema, DescribeOptions } from '../catalog-shapes.ts'
import type { EngineSession, OpenOptions, PrivilegeReport, SessionPurpose } from '../engine.ts'
import { Interruption } from '../interruption.ts'
import type { QueryEvent, QueryOptions } from '../query-events.ts'
import { statementTimedOut } from '../statement-error.ts'
import { openClickHouseDriver, ServerFailure, type ClickHouseDriver } from './driver.ts'
import { EXCEPTION, statementFailure, wayFailure } from './errors.ts'
import { describeDatabase, listDatabases, readServer, type ServerFacts } from './introspect.ts'
import { checkPrivileges } from './privileges.ts'
import { quoteText } from './quote.ts'
import { splitClickHouse } from './statements.ts'

const BATCH_ROWS = 200
const KILL_TIMEOUT_MS = 3_000

/** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND | CANCELLED */
export async function openClickHouseSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  const deadlineAt = performance.now() + options.timeoutMs
  const driver = await openClickHouseDriver(route, options)
  try {
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(deadlineAt - performance.now())))
    const server = await readServer(driver, options.signal ? AbortSignal.any([timeout, options.signal]) : timeout)
    options.onStage?.('login')
    return new ClickHouseSession(driver, server, options.purpose)
  } catch (thrown) {
    await driver.close()
    if (options.signal?.aborted) throw new PosternError('CANCELLED', 'the attempt to reach the database was cancelled')
    throw thrown
  }
}

/** HTTP has no session: every statement is a request with the same login, database and settings. */
class ClickHouseSession implements EngineSession {
  readonly serverVersion: string
  readonly #driver: ClickHouseDriver
  readonly #server: ServerFacts
  readonly #purpose: SessionPurpose

  constructor(driver: ClickHouseDriver, server: ServerFacts, purpose: SessionPurpose) {
    this.serverVersion = server.version
    this.#driver = driver
    this.#server = server
    this.#purpose = purpose
  }

  async ping(): Promise<void> {
    await this.#driver.readRows('SELECT 1')
  }

  checkPrivileges(): Promise<PrivilegeReport> {
    return checkPrivileges(this.#driver, this.#server, this.#purpose)
  }

  listDatabases(): Promise<readonly DatabaseSummary[]> {
    return listDatabases(this.#driver)
  }

  describe(database: string, options: DescribeOptions): AsyncIterable<DescribedSchema> {
    return describeDatabase(this.#driver, database, options.signal)
  }

  async *query(sql: string, options: QueryOptions): AsyncGenerator<QueryEvent, void> {
    const interruption = new Interruption(options)
    try {
      for (const statement of splitClickHouse(sql, this.#purpose)) {
        interruption.check()
        yield* this.#run({ ...statement, whole: sql }, options, interruption)
      }
    } finally {
      interruption.close()
    }
  }

  close(): Promise<void> {
    return this.#driver.close()
  }

  async *#run(
    statement: { readonly whole: string; readonly text: string; readonly offset: number },
    options: QueryOptions,
    interruption: Interruption,
  ): AsyncGenerator<QueryEvent, void> {
    const stop = new AbortController()
    const queryId = this.#driver.nextQueryId()
    let isOver = false
    interruption.onRequest(() => stop.abort())
    try {
      const answer = await this.#driver.send(statement.text, queryId, this.#settings(options.timeoutMs), stop.signal)
      let rowCount = 0
      if (answer.columns !== null) yield { type: 'columns', columns: answer.columns }
      for await (const rows of answer.rows) {
        rowCount += rows.length
        for (let start = 0; start < rows.length; start += BATCH_ROWS) {
          yield { type: 'rows', rows: rows.slice(start, start + BATCH_ROWS) }
          interruption.check()
        }
      }
      interruption.check()
      isOver = true
      yield { type: 'complete', command: null, rowCount: answer.columns === null ? answer.writtenRows : rowCount }
    } catch (thrown) {
      if (interruption.isRequested) throw interruption.error(thrown)
      isOver = thrown instanceof ServerFailure
      throw this.#explain(thrown, statement, options)
    } finally {
      // Cancelled, left early, or cut off: the server may still be at work.
      if (!isOver) {
        stop.abort()
        await this.#kill(queryId)
      }
    }
  }

  /** Where the server's profile holds the user to readonly=1, a request may set nothing at all. */
  #settings(timeoutMs: number): ClickHouseSettings {
    const { readonlyLevel } = this.#server
    if (readonlyLevel === 1) return {}
    const wanted = Number(this.#driver.route.extraParameters['max_execution_time'] ?? Number.POSITIVE_INFINITY)
    const { max_memory_usage } = this.#driver.route.extraParameters
    return {
      max_execution_time: Math.min(wanted, Math.max(1, Math.ceil(timeoutMs / 1_000))),
      ...(max_memory_usage !== undefined && { max_memory_usage }),
      ...(this.#server.stopsOnClose && { cancel_http_readonly_queries_on_client_close: 1 }),
      ...(readonlyLevel === 0 && this.#purpose === 'read_only' && { readonly: '2' }),
    }
  }

  #explain(
    thrown: unknown,
    statement: { readonly whole: string; readonly text: string; readonly offset: number },
    options: QueryOptions,
  ): PosternError {
    if (thrown instanceof ServerFailure) {
      const { number } = thrown.exception
      if (number === EXCEPTION.timeout) return statementTimedOut(options.timeoutMs, thrown)
      if (number === EXCEPTION.cancelled) {
        return new PosternError('CANCELLED', 'the statement was cancelled in the database', { cause: thrown })
      }
      return statementFailure(thrown.exception, statement)
    }
    if (thrown instanceof RangeError) return new PosternError('RESULT_TOO_LARGE', thrown.message, { cause: thrown })
    return wayFailure(thrown, this.#driver.route)
  }

  /** A user held to reading by the server may not kill: there the closed socket and the server's own limit have to do. */
  async #kill(queryId: string): Promise<void> {
    try {
      const statement = `KILL QUERY WHERE query_id = ${quoteText(queryId)} ASYNC`
      await this.#driver.readRows(statement, {}, { signal: AbortSignal.timeout(KILL_TIMEOUT_MS) })
    } catch (thrown) {
      // What the statement did or did not do is told already; only our own mistakes are worth more.
      if (asPosternError(thrown).code === 'INTERNAL') throw thrown
    }
  }
}
