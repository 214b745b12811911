import { randomUUID } from 'node:crypto'
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client'
import type { Readable } from 'node:stream'
import { PosternError } from '../../base/errors.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { openHttp, type GuardedHttp } from '../../dialer/open-http.ts'
import type { OpenOptions } from '../engine.ts'
import type { Cell } from '../query-events.ts'
import { readBody } from '../read-body.ts'
import { exceptionFailure, isExceptionText, readException, wayFailure, type ServerException } from './errors.ts'
import { cellForm, LineReader, readCells, type CellForm } from './tab-separated.ts'

/** Names, types, then rows of text: the one form of answer that every version since 2016 knows and that rounds nothing. */
const ANSWER_FORMAT = 'TabSeparatedWithNamesAndTypes'
/** Until this much is ready the server answers nothing, so whatever fails before has a status of its own. */
const SERVER_BUFFER_BYTES = 1024 * 1024
const MAX_EXCEPTION_BYTES = 256 * 1024
/** Our own statements ask for names and numbers. */
const OWN_TIMEOUT_MS = 15_000

/** A running statement's answer. */
interface Answer {
  /** Null where the statement answers nothing (CREATE, INSERT). */
  readonly columns: readonly { readonly name: string; readonly type: string }[] | null
  /** The rows of each chunk together. @throws ServerFailure when the server fails after it began to answer */
  readonly rows: AsyncIterable<readonly (readonly Cell[])[]>
  /** What was written, where the server counts it. */
  readonly writtenRows: number | null
}

/** What the server refused: thrown here, translated by who knows whose statement it was. */
export class ServerFailure extends Error {
  readonly exception: ServerException

  constructor(exception: ServerException) {
    super('the server reported an error')
    this.exception = exception
  }
}

/**
 * A way to ClickHouse by HTTP. Nothing was sent on it yet.
 * @throws PosternError UPSTREAM_*; UPSTREAM_AUTH_UNSAFE where the password would go to whoever listens
 */
export async function openClickHouseDriver(route: DataSourceRoute, options: OpenOptions): Promise<ClickHouseDriver> {
  const password = options.secrets.password?.reveal() ?? ''
  if (password !== '' && !mayCarryRecoverablePassword(route)) {
    throw new PosternError(
      'UPSTREAM_AUTH_UNSAFE',
      'ClickHouse gets the password itself with every request, which is only sent over verified TLS',
      { hint: 'Choose TLS mode verify-full (HTTPS, port 8443 unless configured), or a user without a password.' },
    )
  }
  const http = await openHttp(route, { ...options.dialer, ...options }).catch((thrown: unknown) => {
    throw wayFailure(thrown, route)
  })
  return new ClickHouseDriver(route, http, password)
}

/** Statements as requests, one after the other or side by side. Always close it. */
export class ClickHouseDriver {
  readonly route: DataSourceRoute
  readonly #http: GuardedHttp
  readonly #client: ClickHouseClient

  constructor(route: DataSourceRoute, http: GuardedHttp, password: string) {
    const host = route.host.includes(':') ? `[${route.host}]` : route.host
    this.route = route
    this.#http = http
    this.#client = createClient({
      // TLS is done below by the dialer, which looks at nothing of this but its path.
      url: `http://${host}:${route.port}`,
      http_agent: http.agent,
      username: route.username,
      password,
      ...(route.database !== '' && { database: route.database }),
      application: 'postern',
      request_timeout: 2_147_483_647,
      log: { level: ClickHouseLogLevel.OFF },
    })
  }

  /** Names a statement, for whoever wants to stop it. */
  nextQueryId(): string {
    return randomUUID()
  }

  /**
   * Sends one statement.
   * @throws ServerFailure | PosternError UPSTREAM_*; what the signal's abort leads to is up to the caller
   */
  async send(statement: string, queryId: string, settings: ClickHouseSettings, signal: AbortSignal): Promise<Answer> {
    const { stream, summary, response_headers, http_status_code } = await this.#client.exec({
      query: statement,
      query_id: queryId,
      clickhouse_settings: { default_format: ANSWER_FORMAT, ...settings },
      abort_signal: signal,
      ignore_error_response: true,
    })
    const code = response_headers['x-clickhouse-exception-code']
    const status = http_status_code ?? 0
    if (status !== 200 || code !== undefined) {
      const body = await readBody(stream, MAX_EXCEPTION_BYTES)
      throw new ServerFailure(readException(status, typeof code === 'string' ? code : undefined, body.toString()))
    }
    const tag = response_headers['x-clickhouse-exception-tag']
    const lines = readLines(stream, typeof tag === 'string' ? tag : undefined)
    const names = await lines.next()
    if (names.done) {
      return { columns: null, rows: nothing(), writtenRows: summary ? Number(summary.written_rows) : null }
    }
    const { columns, rest } = await readHead(names.value, lines)
    const forms = columns.map(({ type }) => cellForm(type))
    return { columns, rows: rowsOf(rest, lines, forms), writtenRows: null }
  }

  /**
   * Sends one statement of our own and reads all of its answer.
   * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND
   */
  async readRows(
    statement: string,
    settings: ClickHouseSettings = {},
    how: { readonly queryId?: string; readonly signal?: AbortSignal } = {},
  ): Promise<readonly (readonly Cell[])[]> {
    const signal = how.signal ?? AbortSignal.timeout(OWN_TIMEOUT_MS)
    try {
      const { rows } = await this.send(statement, how.queryId ?? this.nextQueryId(), settings, signal)
      const all: (readonly Cell[])[] = []
      for await (const some of rows) all.push(...some)
      return all
    } catch (thrown) {
      if (thrown instanceof ServerFailure) throw exceptionFailure(thrown.exception, this.route)
      if (signal.aborted) {
        throw new PosternError('UPSTREAM_UNREACHABLE', 'the database did not answer in time', { cause: thrown })
      }
      throw wayFailure(thrown, this.route)
    }
  }

  async close(): Promise<void> {
    await this.#http.close()
    await this.#client.close()
  }
}

async function* nothing(): AsyncGenerator<never, void> {}

async function readHead(
  first: readonly Buffer[],
  lines: AsyncGenerator<readonly Buffer[], void>,
): Promise<{ columns: { name: string; type: string }[]; rest: readonly Buffer[] }> {
  let head = first
  while (head.length < 2) {
    const more = await lines.next()
    if (more.done) throw new PosternError('UPSTREAM_PROTOCOL', 'the answer of ClickHouse is incomplete')
    head = [...head, ...more.value]
  }
  const [names, types] = [readCells(head[0]!), readCells(head[1]!)]
  return { columns: names.map((name, index) => ({ name: name ?? '', type: types[index] ?? '' })), rest: head.slice(2) }
}

async function* rowsOf(
  first: readonly Buffer[],
  lines: AsyncGenerator<readonly Buffer[], void>,
  forms: readonly CellForm[],
): AsyncGenerator<readonly (readonly Cell[])[], void> {
  try {
    if (first.length > 0) yield first.map((line) => readCells(line, forms))
    for await (const some of lines) yield some.map((line) => readCells(line, forms))
  } finally {
    // Where the reader leaves early the answer must not go on.
    await lines.return()
  }
}

/**
 * The lines of an answer, chunk by chunk. An exception that came when the answer had begun stands at its end: new servers mark it
 * with a tag that only they know; of older ones it is the last line of an answer that was longer than their buffer.
 */
async function* readLines(stream: Readable, tag: string | undefined): AsyncGenerator<readonly Buffer[], void> {
  const reader = new LineReader()
  let received = 0
  let held: Buffer[] = []
  let broken: { readonly cause: unknown } | undefined
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      received += chunk.length
      const lines = [...held, ...reader.push(chunk)]
      // The last ones may turn out to be an exception.
      const uncertain = received < SERVER_BUFFER_BYTES ? 0 : 1
      const certain = tag === undefined ? lines.length - uncertain : endOfRows(lines, tag)
      held = lines.slice(Math.max(0, certain))
      if (certain > 0) yield lines.slice(0, certain)
    }
  } catch (cause) {
    // Some versions break the answer off behind their exception.
    broken = { cause }
  }
  const last = reader.end()
  if (last !== undefined) held.push(last)
  const text = held.map(String).join('\n')
  const mayBeException = broken !== undefined || received >= SERVER_BUFFER_BYTES
  const exception = tag === undefined ? (mayBeException ? text : '') : taggedException(text, tag)
  if (isExceptionText(exception)) throw new ServerFailure(readException(200, undefined, exception))
  if (broken !== undefined) throw broken.cause
  if (held.length > 0) yield held
}

function endOfRows(lines: readonly Buffer[], tag: string): number {
  const marker = lines.findIndex((line) => line.includes('__exception__'))
  return marker < 0 || !lines.slice(marker, marker + 2).some((line) => line.includes(tag)) ? lines.length - 2 : marker
}

/** `__exception__\r\n<tag>\r\n<text>\r\n<length> <tag>\r\n__exception__\r\n`, since ClickHouse 25.11. */
function taggedException(text: string, tag: string): string {
  const parts = text.split('__exception__\r\n')
  return parts[1]?.startsWith(tag) ? parts[1].slice(tag.length).trimStart() : ''
}
