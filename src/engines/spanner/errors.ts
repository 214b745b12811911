import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { isRecord } from '../read-body.ts'
import { positionAt, statementFailed, type TextPosition } from '../statement-error.ts'

/** A canonical status, as every API of Google reports failures (google.rpc.Code). */
export interface GoogleStatus {
  readonly code: number
  readonly message: string
}

export const ABORTED = 10
export const NOT_FOUND = 5
export const UNAVAILABLE = 14
export const UNIMPLEMENTED = 12
const PERMISSION_DENIED = 7

const NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** google.rpc.Code by HTTP status, for an answer whose body says nothing (google/rpc/code.proto). */
const CODE_OF_HTTP: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: PERMISSION_DENIED,
  404: NOT_FOUND,
  409: ABORTED,
  429: 8,
  499: 1,
  500: 13,
  501: UNIMPLEMENTED,
  503: UNAVAILABLE,
  504: 4,
}

/** The status in an answer's body, in each of the forms that Google and its emulator give it. */
export function readStatus(body: unknown, httpStatus: number): GoogleStatus {
  const outer = Array.isArray(body) ? (body as unknown[])[0] : body
  const inner = isRecord(outer) && isRecord(outer['error']) ? outer['error'] : outer
  const message = isRecord(inner) && typeof inner['message'] === 'string' ? inner['message'] : ''
  const named = isRecord(inner) && typeof inner['status'] === 'string' ? NAMES.indexOf(inner['status']) : -1
  const number = isRecord(inner) && typeof inner['code'] === 'number' ? inner['code'] : -1
  const own = named >= 0 ? named : number > 0 && number < NAMES.length ? number : undefined
  // The emulator answers INTERNAL where it cannot put its own status into JSON; the HTTP status is right even then.
  const byHttp = CODE_OF_HTTP[httpStatus]
  return { code: own === undefined || (own === 13 && byHttp !== undefined) ? (byHttp ?? 2) : own, message }
}

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

const OF_CALLS: Readonly<Record<number, Translation>> = {
  3: ['UPSTREAM_FAILED', 'Spanner did not accept the request'],
  4: ['UPSTREAM_FAILED', 'Spanner did not finish in time'],
  [NOT_FOUND]: ['DATABASE_NOT_FOUND', 'Spanner knows no such instance or database'],
  [PERMISSION_DENIED]: ['UPSTREAM_PERMISSION', 'the service account lacks a permission on Spanner'],
  8: ['UPSTREAM_FAILED', 'a quota of Spanner is used up', 'Wait, or raise the quota in the project.'],
  9: ['UPSTREAM_FAILED', 'Spanner is not in the state that this needs'],
  [ABORTED]: ['UPSTREAM_FAILED', 'Spanner gave the transaction up in favour of others', 'Try again.'],
  [UNIMPLEMENTED]: ['UPSTREAM_FAILED', 'Spanner does not offer this'],
  [UNAVAILABLE]: ['UPSTREAM_UNREACHABLE', 'Spanner is not available at the moment'],
  16: [
    'UPSTREAM_AUTH_FAILED',
    'Google refused the credentials of the data source',
    'Check that the key of the service account still exists and is enabled.',
  ],
}

/** What a statement itself can be to blame for; the server's words are about the caller's own SQL. */
const OF_STATEMENTS: ReadonlySet<number> = new Set([3, NOT_FOUND, 6, 9, 11, UNIMPLEMENTED])

/** `[at LINE:COLUMN]`, counted from 1, in messages of the query compiler. */
const POSITION = /\[at (\d{1,9}):(\d{1,9})\]/

/** A statement in the text that it was cut from, so that a place in it can be named. */
export interface StatementPlace {
  readonly wholeText: string
  readonly offset: number
}

/** A failure that Google reported, by canonical status. @param place of the statement, where one is to blame */
export function spannerFailure(status: GoogleStatus, place?: StatementPlace): PosternError {
  const name = NAMES[status.code] ?? 'UNKNOWN'
  if (place !== undefined && OF_STATEMENTS.has(status.code)) {
    const text = status.message.split('\n', 1)[0]?.replace(POSITION, '').trim() ?? ''
    const words = text === '' ? 'Spanner refused the statement' : text
    return statementFailed(words, { databaseCode: name, position: positionOf(status.message, place) })
  }
  const [code, text, hint] = OF_CALLS[status.code] ?? ['UPSTREAM_FAILED', 'Spanner reported an error']
  const cause = new Error(status.message)
  return new PosternError(code, `${text} (${name})`, { hint, detail: { googleStatus: name }, cause })
}

function positionOf(message: string, { wholeText, offset }: StatementPlace): TextPosition | undefined {
  const [, line, column] = POSITION.exec(message) ?? []
  if (line === undefined || column === undefined) return undefined
  const linesBefore = wholeText
    .slice(offset)
    .split('\n')
    .slice(0, Number(line) - 1)
  const before = linesBefore.reduce((sum, each) => sum + each.length + 1, 0)
  return positionAt(wholeText, offset + before + Number(column) - 1)
}
