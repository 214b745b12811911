import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { openHttp } from '../../dialer/open-http.ts'
import type { OpenOptions } from '../engine.ts'
import type { Cell, QueryEvent, QueryOptions } from '../query-events.ts'
import { isRecord } from '../read-body.ts'
import { statementTimedOut } from '../statement-error.ts'
import { snowflakeCredential, type SnowflakeCredential } from './credentials.ts'
import { snowflakeFailure } from './errors.ts'
import { snowflakeRestRoute } from './options.ts'
import { requireReadOnly, scanSnowflakeStatements } from './read-only.ts'
import { readColumns, renderType, renderValue, type SnowflakeColumn } from './render-values.ts'
import { SnowflakeRestClient, type SnowflakeAnswer, type Submission } from './rest-client.ts'

const OWN_TIMEOUT_MS = 60_000
const ROWS_AT_A_TIME = 200
/** How often the result of a running statement is asked for. */
const POLL_MS = [50, 100, 250, 500, 1000, 2000] as const

/** What a session is, as Snowflake itself sees it. */
export interface SnowflakeWhoami {
  readonly version: string
  readonly user: string
  readonly role: string
  readonly account: string
  readonly address: string | null
}

/**
 * A way to one account of Snowflake that has logged in.
 * @throws PosternError UPSTREAM_* | INVALID_ARGUMENT for credentials that cannot be used
 */
export async function openSnowflakeDriver(route: DataSourceRoute, options: OpenOptions): Promise<SnowflakeDriver> {
  const deadlineAt = performance.now() + options.timeoutMs
  const credential = snowflakeCredential(route, options.secrets)
  const http = await openHttp(snowflakeRestRoute(route), { ...options.dialer, ...options, secrets: {} })
  const rest = new SnowflakeRestClient(http, credential)
  try {
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(deadlineAt - performance.now())))
    const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
    const driver = new SnowflakeDriver(route, rest, credential)
    await driver.whoami(signal)
    options.onStage?.('login')
    return driver
  } catch (thrown) {
    await rest.close()
    throw thrown
  }
}

const WHOAMI = `SELECT CURRENT_VERSION(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_ACCOUNT(), CURRENT_IP_ADDRESS()`

/** Statements on one account. Each request is a session of its own in Snowflake. Always close it. */
export class SnowflakeDriver {
  readonly #route: DataSourceRoute
  readonly #rest: SnowflakeRestClient
  readonly #credential: SnowflakeCredential
  #known: SnowflakeWhoami | undefined

  constructor(route: DataSourceRoute, rest: SnowflakeRestClient, credential: SnowflakeCredential) {
    this.#route = route
    this.#rest = rest
    this.#credential = credential
  }

  async whoami(signal: AbortSignal): Promise<SnowflakeWhoami> {
    if (this.#known !== undefined) return this.#known
    for await (const [version, user, role, account, address] of this.read(WHOAMI, [], signal)) {
      this.#known = {
        version: version ?? '',
        user: user ?? '',
        role: role ?? '',
        account: account ?? '',
        address: address ?? null,
      }
      return this.#known
    }
    throw new PosternError('UPSTREAM_PROTOCOL', 'Snowflake does not know the user that it let in')
  }

  async ping(): Promise<void> {
    for await (const _ of this.read('SELECT 1', [], AbortSignal.timeout(OWN_TIMEOUT_MS)));
  }

  /** Rows of a statement of our own; `bindings` are the values of its `?`. */
  async *read(sql: string, bindings: readonly string[], signal: AbortSignal): AsyncGenerator<readonly Cell[]> {
    for await (const { cells } of this.#rows(sql, bindings, signal)) yield cells
  }

  /** The same, as records by the names of the columns: those of SHOW are found by name alone. */
  async *readRecords(sql: string, signal: AbortSignal): AsyncGenerator<ReadonlyMap<string, Cell>> {
    for await (const { columns, cells } of this.#rows(sql, [], signal)) {
      yield new Map(columns.map(({ name }, index) => [name, cells[index] ?? null]))
    }
  }

  /** Statements of a caller. Held to reading, there may be one, of a kind that reads. */
  async *query(sql: string, options: QueryOptions, isReadOnly: boolean): AsyncGenerator<QueryEvent> {
    const statements = isReadOnly ? [requireReadOnly(sql)] : scanSnowflakeStatements(sql)
    if (statements.length === 0) return
    const timeout = AbortSignal.timeout(options.timeoutMs)
    const signal = AbortSignal.any([timeout, options.signal])
    try {
      const submission = { ...this.#submission(sql, [], options.timeoutMs), isAsync: true }
      const whole = await this.#finish({ ...submission, statementCount: statements.length }, signal)
      const handles: unknown[] = Array.isArray(whole['statementHandles']) ? whole['statementHandles'] : []
      for (const [index, statement] of statements.entries()) {
        const command = statement.tokens.find(({ kind }) => kind === 'word')?.text ?? null
        const handle = handles[index]
        const fields = typeof handle === 'string' ? await this.#resultOf(handle, sql, signal) : whole
        yield* this.#events(fields, command, signal)
      }
    } catch (thrown) {
      if (options.signal.aborted) throw new PosternError('CANCELLED', 'the statement was cancelled', { cause: thrown })
      throw timeout.aborted ? statementTimedOut(options.timeoutMs, thrown) : thrown
    }
  }

  close(): Promise<void> {
    return this.#rest.close()
  }

  #submission(statement: string, bindings: readonly string[], timeoutMs: number): Submission {
    const { database, fields } = this.#route
    const { warehouse, snowflakeRole } = fields
    const common = { statement, bindings, timeoutMs, statementCount: 1, isAsync: false }
    return { ...common, database, warehouse, role: snowflakeRole }
  }

  async *#rows(
    sql: string,
    bindings: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly columns: readonly SnowflakeColumn[]; readonly cells: readonly Cell[] }> {
    const submission = { ...this.#submission(sql, bindings, OWN_TIMEOUT_MS), database: '' }
    const fields = await this.#finish(submission, signal, false)
    const columns = columnsOf(fields)
    for await (const row of this.#rawRows(fields, signal)) yield { columns, cells: rendered(row, columns) }
  }

  /** Submits and waits. An abort cancels in Snowflake too. */
  async #finish(
    submission: Submission,
    signal: AbortSignal,
    isOfCaller = true,
  ): Promise<Readonly<Record<string, unknown>>> {
    const statement = isOfCaller ? submission.statement : undefined
    const first = await this.#rest.submit(submission, signal)
    return first.state === 'running' ? this.#wait(first.handle, statement, signal) : this.#done(first, statement)
  }

  async #wait(
    handle: string,
    statement: string | undefined,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    try {
      for (let poll = 0; ; poll += 1) {
        const answer = await this.#rest.status(handle, signal)
        if (answer.state !== 'running') return this.#done(answer, statement)
        await sleep(POLL_MS[Math.min(poll, POLL_MS.length - 1)], undefined, { signal })
      }
    } catch (thrown) {
      if (signal.aborted) await this.#rest.cancel(handle).catch(() => undefined)
      throw thrown
    }
  }

  #resultOf(handle: string, statement: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    return this.#wait(handle, statement, signal)
  }

  #done(answer: SnowflakeAnswer, statement: string | undefined): Readonly<Record<string, unknown>> {
    if (answer.state === 'done') return answer.fields
    if (answer.state === 'failed') {
      throw snowflakeFailure(answer.failure, statement, this.#credential.setPublicKey)
    }
    throw new PosternError('UPSTREAM_PROTOCOL', 'Snowflake says that a finished statement still runs')
  }

  async *#events(
    fields: Readonly<Record<string, unknown>>,
    command: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<QueryEvent> {
    const columns = columnsOf(fields)
    yield { type: 'columns', columns: columns.map((column) => ({ name: column.name, type: renderType(column) })) }
    let count = 0
    let rows: (readonly Cell[])[] = []
    let changed = columns.length > 0 && columns.every(({ name }) => name.startsWith('number of ')) ? 0 : undefined
    for await (const row of this.#rawRows(fields, signal)) {
      const cells = rendered(row, columns)
      count += 1
      if (changed !== undefined) changed += cells.reduce((sum, cell) => sum + Number(cell), 0)
      rows.push(cells)
      if (rows.length < ROWS_AT_A_TIME) continue
      yield { type: 'rows', rows }
      rows = []
    }
    if (rows.length > 0) yield { type: 'rows', rows }
    yield { type: 'complete', command, rowCount: changed ?? count }
  }

  /** The rows that came with the answer, then those of the other partitions as they are wanted. */
  async *#rawRows(fields: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
    yield* rowsOf(fields)
    const { resultSetMetaData, statementHandle } = fields
    const partitions = isRecord(resultSetMetaData) ? resultSetMetaData['partitionInfo'] : undefined
    const count = Array.isArray(partitions) ? partitions.length : 1
    for (let partition = 1; partition < count; partition += 1) {
      signal.throwIfAborted()
      const answer = await this.#rest.partition(String(statementHandle), partition, signal)
      yield* rowsOf(this.#done(answer, undefined))
    }
    signal.throwIfAborted()
  }
}

function columnsOf(fields: Readonly<Record<string, unknown>>): readonly SnowflakeColumn[] {
  const { resultSetMetaData } = fields
  return isRecord(resultSetMetaData) ? readColumns(resultSetMetaData['rowType']) : []
}

function* rowsOf(fields: Readonly<Record<string, unknown>>): Generator<readonly unknown[]> {
  const data: unknown = fields['data']
  if (!Array.isArray(data)) throw malformed()
  for (const row of data as unknown[]) {
    if (!Array.isArray(row)) throw malformed()
    yield row as unknown[]
  }
}

function rendered(row: readonly unknown[], columns: readonly SnowflakeColumn[]): readonly Cell[] {
  if (row.length !== columns.length) throw malformed()
  return columns.map((column, index) => renderValue(row[index], column))
}

function malformed(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'the result of Snowflake does not hold together')
}
