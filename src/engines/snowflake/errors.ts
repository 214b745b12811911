import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { positionAt, statementFailed, type TextPosition } from '../statement-error.ts'

/** A failure as the SQL API reports it (QueryFailureStatus). */
export interface SnowflakeFailure {
  readonly httpStatus: number
  /** Six digits. */
  readonly code: string
  readonly sqlState: string
  readonly message: string
}

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

const EXPIRED: Translation = [
  'UPSTREAM_AUTH_FAILED',
  'the access token of the data source has expired',
  'Enter a new one.',
]

/** By Snowflake's own number (docs.snowflake.com: key-pair, OAuth and programmatic access token troubleshooting). */
const BY_CODE: Readonly<Record<string, Translation>> = {
  '390144': ['UPSTREAM_AUTH_FAILED', 'Snowflake refused the key pair'],
  '390303': [
    'UPSTREAM_AUTH_FAILED',
    'Snowflake refused the OAuth token',
    'Check its issuer, audience and user mapping.',
  ],
  '390318': EXPIRED,
  '390114': EXPIRED,
  '394400': ['UPSTREAM_AUTH_FAILED', 'Snowflake refused the programmatic access token'],
  '390100': ['UPSTREAM_AUTH_FAILED', 'Snowflake refused the user'],
  '390101': ['UPSTREAM_AUTH_FAILED', 'the user of the data source is disabled in Snowflake'],
  '390422': [
    'UPSTREAM_AUTH_FAILED',
    'a network policy of Snowflake does not admit the address that we come from',
    'Add the addresses of Postern to the network policy of the account or the user.',
  ],
  '390189': ['UPSTREAM_PERMISSION', 'the role of the data source does not exist or is not granted to the user'],
  '390201': ['UPSTREAM_PERMISSION', 'the warehouse of the data source does not exist or the role may not use it'],
  '000606': [
    'UPSTREAM_PERMISSION',
    'no warehouse is there to run the statement',
    'Name a warehouse in the data source, and grant its role USAGE on it.',
  ],
}

/** Statements of our own: what they name was taken from the database, so it is a privilege that is missing. */
const OF_OUR_STATEMENTS: Readonly<Record<string, Translation>> = {
  '002003': [
    'DATABASE_NOT_FOUND',
    'the database does not exist, or the role of the data source may not use it',
    'Grant its role USAGE on the database and its schemas.',
  ],
  '003001': ['UPSTREAM_PERMISSION', 'the role of the data source lacks a privilege'],
}

/** By HTTP status, where the body says nothing known. */
const BY_STATUS: Readonly<Record<number, Translation>> = {
  401: ['UPSTREAM_AUTH_FAILED', 'Snowflake refused the credentials of the data source'],
  403: ['UPSTREAM_AUTH_FAILED', 'Snowflake does not admit this request', 'Check the account and its network policy.'],
  404: ['UPSTREAM_PROTOCOL', 'there is no SQL API at this address', 'Check the account: locator, region and cloud.'],
  429: ['UPSTREAM_FAILED', 'Snowflake gets too many requests at the moment', 'Wait a little.'],
  503: ['UPSTREAM_UNREACHABLE', 'Snowflake is not available at the moment'],
  504: ['UPSTREAM_UNREACHABLE', 'Snowflake did not answer in time'],
}

/** `line 2 at position 7`, of which the line counts from 1 and the position from 0. */
const POSITION = /\bline (\d{1,9}) at position (\d{1,9})\b/

/**
 * A failure that Snowflake reported, by its number.
 * @param statement the caller's own, where the failure is about one
 * @param setPublicKey the statement that would make a refused key work
 */
export function snowflakeFailure(
  failure: SnowflakeFailure,
  statement: string | undefined,
  setPublicKey?: string,
): PosternError {
  const detail = { snowflakeCode: failure.code, sqlState: failure.sqlState, httpStatus: failure.httpStatus }
  const cause = new Error(failure.message)
  const known = BY_CODE[failure.code]
  if (known === undefined && statement !== undefined && [400, 408, 422].includes(failure.httpStatus)) {
    return statementFailed(failure.message.split('\n').join(' ') || 'Snowflake refused the statement', {
      databaseCode: failure.code,
      position: positionOf(failure.message, statement),
    })
  }
  const [code, text, hint] = known ??
    OF_OUR_STATEMENTS[failure.code] ??
    BY_STATUS[failure.httpStatus] ?? ['UPSTREAM_FAILED', 'Snowflake reported an error']
  const number = failure.code === '' ? `HTTP ${failure.httpStatus}` : failure.code
  const keyHint =
    failure.code === '390144' && setPublicKey !== undefined
      ? `Check the account and the clock, and have an administrator run: ${setPublicKey}`
      : hint
  return new PosternError(code, `${text} (${number})`, { cause, hint: keyHint, detail })
}

function positionOf(message: string, statement: string): TextPosition | undefined {
  const [, line, position] = POSITION.exec(message) ?? []
  if (line === undefined || position === undefined) return undefined
  const before = statement.split('\n').slice(0, Number(line) - 1)
  return positionAt(statement, before.reduce((sum, each) => sum + each.length + 1, 0) + Number(position))
}
