import { asPosternError, PosternError } from '../base/errors.ts'
import type { SqlEvent } from '../contract/sql.ts'
import type { EngineSession } from '../engines/engine.ts'
import type { QueryEvent } from '../engines/query-events.ts'
import { endSqlExecution, type SqlSource, type SqlTruncation } from '../store/sql-executions.ts'
import { ResultLimit } from './limit-result.ts'
import type { StatementLimits } from './resolve-limits.ts'
import type { SqlDependencies } from './sql-dependencies.ts'

/** A statement that runs. Its events must be read to their end, or the iteration be ended: that ends the session. */
export interface RunningSql {
  readonly start: Extract<SqlEvent, { type: 'start' }>
  /** What follows the start. */
  readonly events: AsyncGenerator<SqlEvent, void>
  /** Aborted when it is over whether somebody still reads or not: what is left must be thrown away. */
  readonly overdue: AbortSignal
}

interface Statement {
  readonly execution: { readonly id: string; readonly statement: string }
  readonly start: Extract<SqlEvent, { type: 'start' }>
  readonly session: EngineSession
  readonly source: SqlSource
  readonly limits: StatementLimits
  /** Somebody wants it to end. */
  readonly cancel: AbortSignal
}

/** So often the client hears that the statement still runs; whoever stands between keeps the connection for longer. */
const PROGRESS_MS = 5_000
/** The database is given time to end the statement by itself first: its own words are better. */
const TIME_GRACE_MS = 1_500
/** Then it is over for the client as well, even for one that does not read. */
const OVERDUE_MS = 10_000

/**
 * Runs a statement in an open session and closes the session. A result that reaches a limit is cut, and the end says so: of a
 * read-only session the statement is cancelled then; of any other the rest is read and thrown away, because cancelling would
 * undo what the statement changes.
 */
export async function runStatement(deps: SqlDependencies, statement: Statement): Promise<RunningSql> {
  const overdue = new AbortController()
  const events = streamEvents(deps, statement, overdue)
  // A generator that never began has nothing to end: from here on, ending the iteration closes the session.
  await events.next()
  return { start: statement.start, events, overdue: overdue.signal }
}

type Ended = 'DONE' | 'FAILED' | 'CANCELLED'

async function* streamEvents(
  deps: SqlDependencies,
  statement: Statement,
  overdue: AbortController,
): AsyncGenerator<SqlEvent, void> {
  const { execution, session, source, limits, cancel } = statement
  const startedAt = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - startedAt)
  const limit = new ResultLimit(limits)
  const outOfTime = new AbortController()
  const enough = new AbortController()
  const timeoutMs = limits.timeoutSeconds * 1000
  const timers = [
    setTimeout(() => outOfTime.abort(), timeoutMs + TIME_GRACE_MS),
    setTimeout(() => overdue.abort(), timeoutMs + OVERDUE_MS),
  ]
  // A client that is gone, or a statement that was cancelled, is not waited for until its time limit.
  const onCancel = (): void => void timers.push(setTimeout(() => overdue.abort(), OVERDUE_MS))
  cancel.addEventListener('abort', onCancel, { once: true })
  let state: Ended = 'CANCELLED'
  let failure: PosternError | undefined
  const truncation = (): SqlTruncation | null =>
    limit.truncated ?? (outOfTime.signal.aborted || failure?.detail?.['timeoutMs'] !== undefined ? 'time' : null)
  try {
    yield statement.start
    const signal = AbortSignal.any([cancel, outOfTime.signal, enough.signal])
    const events = session.query(execution.statement, { signal, timeoutMs })
    try {
      for await (const event of withProgress(events, elapsedMs)) {
        const passed = event.type === 'progress' ? event : limit.pass(event)
        if (passed !== undefined) yield passed
        if (limit.truncated !== undefined && source === 'read_only') break
      }
      state = 'DONE'
    } catch (thrown) {
      failure = outOfTime.signal.aborted ? timedOut(limits) : asPosternError(thrown)
      state = failure.code === 'CANCELLED' ? 'CANCELLED' : 'FAILED'
      if (failure.code === 'INTERNAL') {
        // Not the failure itself: a driver's error may quote the statement.
        const what = thrown instanceof Error ? thrown.name : typeof thrown
        deps.logger.error({ executionId: execution.id, failure: what }, 'a statement failed inside Postern')
      }
      yield errorEvent(failure)
    }
    const { rows, bytes } = limit
    yield { type: 'end', state, truncated: truncation(), elapsedMs: elapsedMs(), rows, bytes }
  } finally {
    for (const timer of timers) clearTimeout(timer)
    cancel.removeEventListener('abort', onCancel)
    enough.abort()
    deps.sqlRunning.leave(execution.id)
    await session.close().catch(() => undefined)
    const databaseCode = failure?.detail?.['databaseCode']
    await endSqlExecution(deps.store.db, execution.id, {
      state,
      errorCode: failure?.code ?? null,
      sqlstate: typeof databaseCode === 'string' ? databaseCode.slice(0, 20) : null,
      truncated: truncation(),
      rowCount: limit.rows,
      byteCount: limit.bytes,
      elapsedMs: elapsedMs(),
    }).catch((error: unknown) => {
      // It counts as lost once its time is over; the answer must not fail for that.
      deps.logger.error({ err: error, executionId: execution.id }, 'the end of a statement could not be recorded')
    })
  }
}

/** The events, and between them a sign of life while nothing comes. */
async function* withProgress(
  events: AsyncIterable<QueryEvent>,
  elapsedMs: () => number,
): AsyncGenerator<QueryEvent | { readonly type: 'progress'; readonly elapsedMs: number }, void> {
  const iterator = events[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<QueryEvent, unknown>> | undefined
  try {
    for (;;) {
      pending ??= iterator.next()
      const next = await withinProgress(pending)
      if (next === undefined) {
        yield { type: 'progress', elapsedMs: elapsedMs() }
        continue
      }
      pending = undefined
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}

async function withinProgress<T>(pending: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PROGRESS_MS)
  })
  try {
    return await Promise.race([pending, silence])
  } finally {
    clearTimeout(timer)
  }
}

function timedOut({ timeoutSeconds }: StatementLimits): PosternError {
  return new PosternError('STATEMENT_FAILED', `the statement took longer than ${timeoutSeconds} s and was cancelled`, {
    hint: 'Ask for less, or raise the time limit.',
    detail: { timeoutMs: timeoutSeconds * 1000 },
  })
}

function errorEvent(error: PosternError): SqlEvent {
  const { code, message, hint, detail } = error
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  const number = (value: unknown) => (typeof value === 'number' ? value : null)
  return {
    type: 'error',
    code,
    message,
    hint: hint ?? error.row.action,
    databaseCode: text(detail?.['databaseCode']),
    line: number(detail?.['line']),
    column: number(detail?.['column']),
  }
}
