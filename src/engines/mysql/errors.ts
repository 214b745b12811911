import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { errorCode, tlsAlertFailure } from '../../dialer/dial-errors.ts'
import { statementFailed } from '../statement-error.ts'

/** Number of an error that the server reported, or undefined when the failure has another origin. */
export function errorNumberOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { errno, sqlState } = thrown as { errno?: unknown; sqlState?: unknown }
  return typeof errno === 'number' && typeof sqlState === 'string' ? errno : undefined
}

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

const admission: Translation = [
  'UPSTREAM_AUTH_FAILED',
  'the database does not admit this user from here',
  'Check that an account exists for this user and the address of Postern, and whether it requires TLS or a client certificate.',
]
const busy: Translation = ['UPSTREAM_UNREACHABLE', 'the database is shutting down or has no free session']

/**
 * By the server's error number.
 * @see https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
 */
const BY_NUMBER: Readonly<Record<number, Translation>> = {
  1044: ['UPSTREAM_PERMISSION', 'the user of the data source may not use this database'],
  1045: ['UPSTREAM_AUTH_FAILED', 'the database refused the user or the password'],
  1049: ['DATABASE_NOT_FOUND', 'the database of this name does not exist on the server'],
  1040: busy,
  1053: busy,
  1129: ['UPSTREAM_UNREACHABLE', 'the database blocks this address after too many failed attempts', 'Run FLUSH HOSTS.'],
  1130: admission,
  1142: ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  1143: ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  1227: ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  1317: ['CANCELLED', 'the statement was cancelled'],
  1698: admission,
  1862: ['UPSTREAM_AUTH_FAILED', 'the password of the user has expired'],
  3118: ['UPSTREAM_AUTH_FAILED', 'the account is locked'],
  3159: [
    'UPSTREAM_AUTH_UNSAFE',
    'the database admits this user by TLS only (require_secure_transport)',
    'Choose a TLS mode other than disable.',
  ],
  4151: ['UPSTREAM_AUTH_FAILED', 'the account is locked'],
}

/** A failure of the driver or the server in Postern's words, by number and never by text. */
export function translateMysqlError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown
  const number = errorNumberOf(thrown)
  if (number === undefined) {
    const alert = tlsAlertFailure(thrown)
    if (alert !== undefined) return alert
    return new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the session', {
      cause: thrown,
      detail: { errno: errorCode(thrown) },
    })
  }
  const [code, text, hint] = BY_NUMBER[number] ?? ['UPSTREAM_FAILED', 'the database reported an error']
  return new PosternError(code, `${text} (error ${number})`, { cause: thrown, hint, detail: { databaseCode: number } })
}

const noMysql: Translation = [
  'UPSTREAM_PROTOCOL',
  'what answers at the address of the database does not speak the MySQL protocol',
]

/** By the driver's own codes, which only come before the session is open. */
const BY_LOGIN_CODE: Readonly<Record<string, Translation>> = {
  HANDSHAKE_NO_SSL_SUPPORT: ['UPSTREAM_TLS_REFUSED', 'the database does not offer TLS'],
  AUTH_SWITCH_PLUGIN_ERROR: [
    'UPSTREAM_AUTH_UNSAFE',
    'the database asked for a login method that Postern does not offer',
    'Use mysql_native_password, caching_sha2_password or, over verified TLS, mysql_clear_password.',
  ],
  HANDSHAKE_UNKNOWN_ERROR: noMysql,
  PROTOCOL_UNEXPECTED_PACKET: noMysql,
}

/** As {@link translateMysqlError}, for what happens before the session is open. */
export function translateLoginError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown
  const known = BY_LOGIN_CODE[errorCode(thrown) ?? '']
  if (known === undefined) return translateMysqlError(thrown)
  const [code, text, hint] = known
  return new PosternError(code, text, { cause: thrown, hint })
}

/** ER_QUERY_TIMEOUT of MySQL and TiDB, ER_STATEMENT_TIMEOUT of MariaDB. */
const TIMED_OUT = new Set([3024, 1969])
const READ_ONLY_TRANSACTION = 1792
/** The session is lost, not the statement refused: shutting down, killed, time without work. */
const SESSION_LOST = new Set([1053, 1927, 1159, 1161, 4031])

/** Whether the server itself ended a statement for its time. */
export function isTimeOut(thrown: unknown): boolean {
  return TIMED_OUT.has(errorNumberOf(thrown) ?? 0)
}

/** Whether the server refused to write in a read-only transaction. */
export function isReadOnlyRefusal(thrown: unknown): boolean {
  return errorNumberOf(thrown) === READ_ONLY_TRANSACTION
}

/** The failure of somebody's statement, in the server's words; it tells no place but in its text. */
export function translateStatementError(thrown: unknown): PosternError {
  const number = errorNumberOf(thrown)
  if (number === undefined || SESSION_LOST.has(number)) return translateMysqlError(thrown)
  const { sqlMessage } = thrown as { sqlMessage?: string }
  return statementFailed(sqlMessage ?? 'the database refused the statement', {
    databaseCode: String(number),
    cause: thrown,
  })
}
