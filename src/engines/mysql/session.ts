import mysql from 'mysql2'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DatabaseSummary, DescribedSchema, DescribeOptions } from '../catalog-shapes.ts'
import type { EngineSession, OpenOptions, PrivilegeReport } from '../engine.ts'
import { Interruption } from '../interruption.ts'
import type { QueryEvent, QueryOptions } from '../query-events.ts'
import { statementTimedOut } from '../statement-error.ts'
import { describeDatabase } from './describe.ts'
import { openMysqlClient, type MysqlClient } from './driver.ts'
import { errorNumberOf, isReadOnlyRefusal, isTimeOut, translateMysqlError, translateStatementError } from './errors.ts'
import { identifyServer, type ServerIdentity } from './flavor.ts'
import { listDatabases } from './introspect.ts'
import type { OwnQuery } from './own-query.ts'
import { checkPrivileges } from './privileges.ts'
import { refused, refusedFunction, requireReading, storedFunctionsQuery } from './read-only.ts'
import { sessionSettings, statementLimit, startReadOnly } from './session-settings.ts'
import { quoteRules, splitStatements } from './split-statements.ts'
import { StatementRunner } from './statement-runner.ts'

/** A little above what the server was told for statements of our own. */
const OWN_QUERY_TIMEOUT_MS = 20_000
const OWN_STATEMENT_MS = 15_000
const CANCEL_TIMEOUT_MS = 5_000
/** ER_QUERY_INTERRUPTED. */
const INTERRUPTED = 1317
const MOST_WARNINGS = 100

/** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND */
export async function openMysqlSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  const deadlineAt = performance.now() + options.timeoutMs
  const client = await openMysqlClient(route, options, options.purpose === 'admin')
  try {
    const session = new MysqlSession(route, options, client)
    await withDeadline(
      session.prepare(),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    return session
  } catch (thrown) {
    client.destroy()
    throw translateMysqlError(thrown)
  }
}

/**
 * An admin's text goes to the server as it is, which cuts it itself. A reader's is cut here and runs statement by statement in
 * a read-only transaction, over a session whose server takes one statement at a time.
 */
class MysqlSession implements EngineSession {
  readonly #route: DataSourceRoute
  readonly #options: OpenOptions
  readonly #client: MysqlClient
  readonly #runner: StatementRunner
  #server: ServerIdentity = { flavor: 'mysql', version: '' }
  #id = ''
  #sqlMode = ''
  #isBusy = false
  #ownLimitIsSet = true
  #shownWarnings = '[]'

  constructor(route: DataSourceRoute, options: OpenOptions, client: MysqlClient) {
    const { onStage: _, signal: __, ...quietly } = options
    this.#route = route
    this.#options = quietly
    this.#client = client
    this.#runner = new StatementRunner(client, () => this.#kill())
  }

  get serverVersion(): string {
    return this.#server.version
  }

  async prepare(): Promise<void> {
    const [found] = await this.#own<{ version: string; id: string }>(
      'select version() as version, connection_id() as id',
    )
    this.#server = identifyServer(found?.version ?? '')
    this.#id = found?.id ?? ''
    for (const setting of sessionSettings(this.#route, this.#options.purpose)) await this.#own(setting)
    const [mode] = await this.#own<{ mode: string }>('select @@session.sql_mode as mode')
    this.#sqlMode = mode?.mode ?? ''
    await this.#own(statementLimit(this.#server.flavor, OWN_STATEMENT_MS))
  }

  async ping(): Promise<void> {
    await this.#ownWork(() => this.#own('select 1 as one'))
  }

  checkPrivileges(): Promise<PrivilegeReport> {
    return this.#ownWork(() => checkPrivileges(this.#own, this.#server, this.#route, this.#options.purpose))
  }

  listDatabases(): Promise<readonly DatabaseSummary[]> {
    return this.#ownWork(() => listDatabases(this.#own))
  }

  async *describe(database: string, options: DescribeOptions): AsyncGenerator<DescribedSchema, void> {
    await this.#ownWork(async () => undefined)
    yield* describeDatabase(this.#own, this.#server.flavor, database, options)
  }

  async *query(text: string, options: QueryOptions): AsyncGenerator<QueryEvent, void> {
    this.#claim()
    const interruption = new Interruption(options)
    interruption.onRequest(() => void this.#runner.interrupt())
    const isReadOnly = this.#options.purpose === 'read_only'
    try {
      interruption.check()
      this.#ownLimitIsSet = false
      await this.#settled(statementLimit(this.#server.flavor, options.timeoutMs))
      if (isReadOnly) await this.#settled(startReadOnly(this.#server.flavor))
      for (const statement of isReadOnly ? await this.#readingStatements(text) : [text]) {
        interruption.check()
        yield* this.#run(statement, interruption, isReadOnly)
      }
      yield* await this.#warnings()
    } finally {
      interruption.close()
      if (isReadOnly) await this.#settled('rollback').catch(() => this.#client.destroy())
      this.#isBusy = false
    }
  }

  async close(): Promise<void> {
    if (!this.#isBusy) {
      const quit = new Promise<void>((resolve) => this.#client.connection.end(() => resolve()))
      await withDeadline(quit, CANCEL_TIMEOUT_MS, 'UPSTREAM_TIMED_OUT', 'no goodbye').catch(() => undefined)
    }
    this.#client.destroy()
  }

  /** All of them are checked before the first one runs. */
  async #readingStatements(text: string): Promise<string[]> {
    const statements = splitStatements(text, quoteRules(this.#sqlMode))
    const query = storedFunctionsQuery(statements.flatMap(requireReading))
    const found = query === undefined ? [] : await this.#own<{ name: string }>(query)
    if (found[0] !== undefined) throw refusedFunction(found[0].name)
    return statements.map((statement) => statement.text)
  }

  async *#run(sql: string, interruption: Interruption, isReadOnly: boolean): AsyncGenerator<QueryEvent, void> {
    try {
      yield* this.#runner.run(sql)
    } catch (thrown) {
      if (interruption.isRequested) throw interruption.error(thrown)
      if (isTimeOut(thrown)) throw statementTimedOut(interruption.timeoutMs, thrown)
      if (isReadOnly && isReadOnlyRefusal(thrown)) throw refused('would write', thrown)
      throw translateStatementError(thrown)
    }
    if (interruption.isRequested) throw interruption.error(undefined)
  }

  /** Remarks on the last statement; one that reads no table leaves those of an earlier one in place. */
  async #warnings(): Promise<QueryEvent[]> {
    const rows = await this.#own<{ Level: string; Message: string }>(`show warnings limit ${MOST_WARNINGS}`)
    const events = rows
      .filter(({ Level }) => Level !== 'Error')
      .map(({ Level, Message }) => ({ type: 'notice', severity: Level, message: Message }) as const)
    const shown = JSON.stringify(events)
    if (shown === this.#shownWarnings) return []
    this.#shownWarnings = shown
    return events
  }

  /** Does work of our own, within our own time limit. */
  async #ownWork<T>(work: () => Promise<T>): Promise<T> {
    this.#claim()
    try {
      if (!this.#ownLimitIsSet) await this.#settled(statementLimit(this.#server.flavor, OWN_STATEMENT_MS))
      this.#ownLimitIsSet = true
      return await work()
    } finally {
      this.#isBusy = false
    }
  }

  #claim(): void {
    if (this.#isBusy) throw new PosternError('INTERNAL', 'a session was asked for two things at once')
    this.#isBusy = true
  }

  #own: OwnQuery = async <R extends Readonly<Record<string, string | null>>>(sql: string): Promise<R[]> => {
    try {
      return await withDeadline(
        ask<R>(this.#client, sql),
        OWN_QUERY_TIMEOUT_MS,
        'UPSTREAM_TIMED_OUT',
        'the database did not answer in time',
      )
    } catch (thrown) {
      // Its answer would be taken for that of the next one.
      if (errorNumberOf(thrown) === undefined) this.#client.destroy()
      throw translateMysqlError(thrown)
    }
  }

  /** Once more where KILL QUERY arrived when its statement was over already. */
  async #settled(sql: string): Promise<void> {
    try {
      await this.#own(sql)
    } catch (thrown) {
      if (!(thrown instanceof PosternError) || errorNumberOf(thrown.cause) !== INTERRUPTED) throw thrown
      await this.#own(sql)
    }
  }

  async #kill(): Promise<void> {
    const timeoutMs = Math.min(this.#options.timeoutMs, CANCEL_TIMEOUT_MS)
    const killer = await openMysqlClient(this.#route, { ...this.#options, timeoutMs }, false)
    try {
      const kill = this.#server.flavor === 'tidb' ? 'kill tidb query' : 'kill query'
      await withDeadline(
        ask(killer, `${kill} ${mysql.escape(Number(this.#id))}`),
        timeoutMs,
        'UPSTREAM_TIMED_OUT',
        'the database did not cancel in time',
      )
    } finally {
      killer.destroy()
    }
  }
}

function ask<R>(client: MysqlClient, sql: string): Promise<R[]> {
  return new Promise((resolve, reject) => {
    client.onLost(reject)
    client.connection.query({ sql, typeCast: false }, (error, rows) => {
      if (error !== null) reject(error)
      else resolve(Array.isArray(rows) ? rows.map((row) => asText(row as Record<string, Buffer | null>) as R) : [])
    })
  })
}

function asText(row: Record<string, Buffer | null>): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === null ? null : value.toString()]),
  )
}
