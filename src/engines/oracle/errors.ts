import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { positionAt, statementFailed } from '../statement-error.ts'

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

const CHECK_SERVICE = 'Compare with `lsnrctl services` on the database server.'

/** By number of Oracle (ORA-) or of the driver (NJS-). */
const BY_CODE: Readonly<Record<string, Translation>> = {
  'ORA-01017': ['UPSTREAM_AUTH_FAILED', 'the database refused the user or the password'],
  'ORA-01005': ['UPSTREAM_AUTH_FAILED', 'the password of the data source is empty'],
  'ORA-28000': ['UPSTREAM_AUTH_FAILED', 'the user of the data source is locked', 'ALTER USER … ACCOUNT UNLOCK'],
  'ORA-28001': [
    'UPSTREAM_AUTH_FAILED',
    'the password of the data source has expired',
    'Set a new one in the database.',
  ],
  'ORA-01045': ['UPSTREAM_PERMISSION', 'the user of the data source may not log in', 'GRANT CREATE SESSION to it.'],
  'ORA-00942': ['UPSTREAM_PERMISSION', 'the user of the data source may not read a view of the dictionary'],
  'ORA-01031': ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  'ORA-01033': ['UPSTREAM_UNREACHABLE', 'the database is starting up or shutting down'],
  'ORA-01034': ['UPSTREAM_UNREACHABLE', 'the database is not running'],
  'ORA-01109': ['UPSTREAM_UNREACHABLE', 'the database is not open', 'ALTER PLUGGABLE DATABASE … OPEN'],
  'ORA-12505': ['DATABASE_NOT_FOUND', 'the listener knows no such SID', CHECK_SERVICE],
  'ORA-12514': ['DATABASE_NOT_FOUND', 'the listener knows no such service', CHECK_SERVICE],
  'ORA-12516': ['UPSTREAM_FAILED', 'the listener has no handler for the service that takes another session'],
  'ORA-12519': ['UPSTREAM_FAILED', 'the listener has no handler for the service that takes another session'],
  'ORA-12520': ['UPSTREAM_FAILED', 'the listener has no handler of the right kind for the service'],
  'ORA-12521': ['DATABASE_NOT_FOUND', 'the listener knows no such instance', CHECK_SERVICE],
  'ORA-12528': ['UPSTREAM_UNREACHABLE', 'the database is blocking new sessions: it is being started'],
  'ORA-12541': ['UPSTREAM_PORT_CLOSED', 'no listener is at the address and port'],
  'ORA-00018': ['UPSTREAM_FAILED', 'the database has no free session'],
  'ORA-00020': ['UPSTREAM_FAILED', 'the database has no free process'],
  'NJS-138': ['UPSTREAM_FAILED', 'the database is older than Oracle 12.1, which the thin driver does not speak to'],
  'NJS-116': [
    'UPSTREAM_AUTH_UNSAFE',
    'the user has only an old kind of password verifier (10G), which is not safe',
    'Set its password anew with SQLNET.ALLOWED_LOGON_VERSION_SERVER at 12 or more.',
  ],
  'NJS-533': ['UPSTREAM_AUTH_UNSAFE', 'the database insists on its own network encryption', 'Use TLS (TCPS) instead.'],
  'NJS-518': ['DATABASE_NOT_FOUND', 'the listener knows no such service', CHECK_SERVICE],
  'NJS-519': ['DATABASE_NOT_FOUND', 'the listener knows no such SID', CHECK_SERVICE],
  'NJS-521': ['UPSTREAM_UNREACHABLE', 'the listener closed the session'],
  'NJS-500': ['UPSTREAM_UNREACHABLE', 'the database closed the session'],
  'NJS-501': ['UPSTREAM_UNREACHABLE', 'the database closed the session'],
  'NJS-503': ['UPSTREAM_UNREACHABLE', 'the database could not be reached'],
}

/** ORA-01013 after a break, and what the driver says when its own time is over. */
const CANCELLED = new Set(['ORA-01013', 'ORA-03136', 'NJS-123'])

/** A statement of a caller, in the text that it was cut from. */
export interface StatementPlace {
  readonly wholeText: string
  readonly offset: number
}

/** `ORA-00942` or `NJS-518` of a failure. */
export function oracleCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const { code, errorNum } = thrown as { code?: unknown; errorNum?: unknown }
  if (typeof code === 'string' && /^(?:ORA|NJS|DPI)-\d+$/.test(code)) return code
  return typeof errorNum === 'number' && errorNum > 0 ? `ORA-${String(errorNum).padStart(5, '0')}` : undefined
}

export function isOracleCancel(thrown: unknown): boolean {
  return CANCELLED.has(oracleCode(thrown) ?? '')
}

/** A failure of the driver or the server in Postern's words, by number and never by text. */
export function translateOracleError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown
  const number = oracleCode(thrown)
  if (number === undefined) {
    return new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the session', { cause: thrown })
  }
  const [code, text, hint] = BY_CODE[number] ?? ['UPSTREAM_FAILED', 'the database reported an error']
  return new PosternError(code, `${text} (${number})`, { cause: thrown, hint, detail: { oracleCode: number } })
}

/** The end of a session, in whose middle no statement is to blame. */
const SESSION_ENDED = new Set(['NJS-500', 'NJS-501', 'NJS-521', 'ORA-03113', 'ORA-03114', 'ORA-00028', 'ORA-01012'])

/** A failure of a caller's own statement: the server's words are about his SQL, and say where. */
export function statementFailure(thrown: unknown, { wholeText, offset }: StatementPlace): PosternError {
  const number = oracleCode(thrown)
  if (thrown instanceof PosternError || number === undefined || SESSION_ENDED.has(number)) {
    return translateOracleError(thrown)
  }
  const { message, offset: at } = thrown as { message?: unknown; offset?: unknown }
  const text = typeof message === 'string' ? (message.split('\n', 1)[0] ?? '').replace(`${number}: `, '') : ''
  const hasPlace = typeof at === 'number' && at > 0
  return statementFailed(text === '' ? 'the database refused the statement' : text, {
    databaseCode: number,
    position: hasPlace ? positionAt(wholeText, offset + at) : undefined,
    cause: thrown,
  })
}
