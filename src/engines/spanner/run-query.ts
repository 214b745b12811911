import { PosternError } from '../../base/errors.ts'
import type { QueryEvent } from '../query-events.ts'
import type { ScannedStatement } from '../scan-statements.ts'
import { ABORTED, spannerFailure, UNAVAILABLE, type GoogleStatus } from './errors.ts'
import { PartialResults } from './read-partial-results.ts'
import type { SpannerRestClient } from './rest-client.ts'

/** Parts are kept back until Spanner says from where it could go on; past this they are let go, and a break is an error. */
const MAX_HELD_PARTS = 8
const MAX_RESUMES = 5
const MAX_ABORTS = 5
/** Rows that a change returns are told only once it is committed; this bounds what is kept until then. */
const MAX_HELD_EVENTS = 1000

/** A statement on its way, and in whose session. */
export interface SpannerStatement {
  readonly rest: SpannerRestClient
  readonly sessionName: string
  readonly statement: ScannedStatement
  /** That the statement was cut from. */
  readonly wholeText: string
  readonly signal: AbortSignal
  readonly parameters?: Readonly<Record<string, string>>
}

/** A strong read in a read-only transaction of its own: what writes is refused by Spanner itself. */
export async function* runReadOnly(run: SpannerStatement): AsyncGenerator<QueryEvent> {
  const results = new PartialResults()
  const transaction = { singleUse: { readOnly: { strong: true } } }
  for await (const part of resumable(run, { transaction })) yield* results.push(part)
  const { returnedRows } = results.end()
  yield { type: 'complete', command: null, rowCount: returnedRows }
}

/** A change in a read-write transaction of its own, tried again when Spanner aborts it. Nothing is told before the commit. */
export async function runChange(run: SpannerStatement): Promise<readonly QueryEvent[]> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryChange(run)
    if (Array.isArray(outcome)) return outcome
    if (attempt === MAX_ABORTS) throw spannerFailure({ code: ABORTED, message: '' })
  }
}

async function tryChange(run: SpannerStatement): Promise<QueryEvent[] | 'aborted'> {
  const { rest, sessionName, signal } = run
  const results = new PartialResults()
  const events: QueryEvent[] = []
  try {
    const body = { transaction: { begin: { readWrite: {} } }, seqno: '1' }
    for await (const part of execute(run, body)) {
      if ('failed' in part) {
        if (part.failed.code === ABORTED) return 'aborted'
        throw statementFailure(run, part.failed)
      }
      for (const event of results.push(part.ok)) {
        if (events.length === MAX_HELD_EVENTS) throw tooLarge()
        events.push(event)
      }
    }
    const { changedRows, returnedRows, hasColumns } = results.end()
    const path = `${sessionName}:commit`
    const commit = await rest.try({ method: 'POST', path, body: { transactionId: results.transactionId }, signal })
    if ('failed' in commit) {
      if (commit.failed.code === ABORTED) return 'aborted'
      throw statementFailure(run, commit.failed)
    }
    events.push({ type: 'complete', command: null, rowCount: changedRows ?? (hasColumns ? returnedRows : null) })
    return events
  } catch (thrown) {
    await rollBack(run, results.transactionId)
    throw thrown
  }
}

/** Locks would be held until the transaction idles out. */
async function rollBack({ rest, sessionName }: SpannerStatement, transactionId: string | undefined): Promise<void> {
  if (transactionId === undefined) return
  const signal = AbortSignal.timeout(5000)
  await rest.try({ method: 'POST', path: `${sessionName}:rollback`, body: { transactionId }, signal }).catch(() => null)
}

/** The parts of a result. When the stream breaks it goes on after the last part that Spanner gave a token for. */
async function* resumable(
  run: SpannerStatement,
  body: Readonly<Record<string, unknown>>,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let resumeToken: string | undefined
  let held: Readonly<Record<string, unknown>>[] = []
  let mayResume = true
  for (let resumes = 0; ; resumes += 1) {
    let broken: unknown
    try {
      for await (const part of execute(run, resumeToken === undefined ? body : { ...body, resumeToken })) {
        if ('failed' in part) {
          if (part.failed.code !== UNAVAILABLE) throw statementFailure(run, part.failed)
          broken = statementFailure(run, part.failed)
          break
        }
        held.push(part.ok)
        const token = part.ok['resumeToken']
        if (typeof token === 'string' && token !== '') {
          resumeToken = token
          mayResume = true
        } else if (held.length < MAX_HELD_PARTS) {
          continue
        } else {
          mayResume = false
        }
        yield* held
        held = []
      }
      if (broken === undefined) return yield* held
    } catch (thrown) {
      if (!isBreak(thrown)) throw thrown
      broken = thrown
    }
    run.signal.throwIfAborted()
    if (!mayResume || resumes === MAX_RESUMES) throw broken
    held = []
  }
}

/** The way broke, and the request may simply be made again. */
function isBreak(thrown: unknown): boolean {
  return thrown instanceof PosternError && thrown.code === 'UPSTREAM_UNREACHABLE'
}

function execute(
  run: SpannerStatement,
  body: Readonly<Record<string, unknown>>,
): ReturnType<SpannerRestClient['stream']> {
  const { statement, parameters } = run
  return run.rest.stream({
    method: 'POST',
    path: `${run.sessionName}:executeStreamingSql`,
    body: { ...body, sql: statement.text, ...(parameters && { params: parameters }) },
    signal: run.signal,
  })
}

function statementFailure({ statement, wholeText }: SpannerStatement, failed: GoogleStatus): PosternError {
  return spannerFailure(failed, { wholeText, offset: statement.offset })
}

function tooLarge(): PosternError {
  return new PosternError(
    'RESULT_TOO_LARGE',
    'the statement returns more rows than can be kept until it is committed',
    {
      hint: 'Leave out THEN RETURN, or change fewer rows at once. Nothing was changed.',
    },
  )
}
