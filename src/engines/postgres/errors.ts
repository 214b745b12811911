import pg from 'pg'
import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { errorCode, tlsAlertFailure } from '../../dialer/dial-errors.ts'
import { positionAt, statementFailed } from '../statement-error.ts'
import { refused } from './read-only.ts'
import type { SplitStatement } from './split-statements.ts'

/** SQLSTATE of an error that the server reported, or undefined when the failure has another origin. */
export function sqlstateOf(thrown: unknown): string | undefined {
  return thrown instanceof pg.DatabaseError ? thrown.code : undefined
}

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

/** By SQLSTATE, the five characters first and then the class (PostgreSQL appendix A). */
const BY_SQLSTATE: Readonly<Record<string, Translation>> = {
  '28P01': ['UPSTREAM_AUTH_FAILED', 'the database refused the user or the password'],
  '28': [
    'UPSTREAM_AUTH_FAILED',
    'the database does not admit this user from here',
    'Check that the user exists and that pg_hba.conf admits it from the address of Postern, with or without TLS as chosen.',
  ],
  '3D000': ['DATABASE_NOT_FOUND', 'the database of this name does not exist on the server'],
  '42501': ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  '42710': ['ROLE_TAKEN', 'a Postgres role of this name exists on the instance and Postern did not make it'],
  '42939': ['INVALID_ARGUMENT', 'Postgres reserves this name for roles of its own'],
  '57014': ['UPSTREAM_FAILED', 'the database did not finish the statement in time'],
  '55P03': ['UPSTREAM_FAILED', 'the database could not get a lock in time; something else is changing the same role'],
  '57P': ['UPSTREAM_UNREACHABLE', 'the database is starting up, shutting down or not accepting sessions'],
  '53300': ['UPSTREAM_FAILED', 'the database has no free session'],
  '08': ['UPSTREAM_PROTOCOL', 'the database reported a protocol error'],
}

/**
 * A failure of the driver or the server in Postern's words, by code and never by text. The server's own text stays in the log:
 * it may quote other people's SQL.
 */
export function translatePostgresError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown
  const sqlstate = sqlstateOf(thrown)
  if (sqlstate === undefined) {
    const alert = tlsAlertFailure(thrown)
    if (alert !== undefined) return alert
    // pg reports a closed socket as an Error without a code.
    const errno = errorCode(thrown)
    return new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the session', {
      cause: thrown,
      detail: { errno },
    })
  }
  const known = BY_SQLSTATE[sqlstate] ?? BY_SQLSTATE[sqlstate.slice(0, 3)] ?? BY_SQLSTATE[sqlstate.slice(0, 2)]
  const [code, text, hint] = known ?? ['UPSTREAM_FAILED', 'the database reported an error']
  return new PosternError(code, `${text} (SQLSTATE ${sqlstate})`, { cause: thrown, hint, detail: { sqlstate } })
}

/** Awaits `work` and translates what it throws. `statement` is what an administrator should run where a privilege is missing. */
export async function withPostgresErrors<T>(work: Promise<T>, statement?: string): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (statement !== undefined && sqlstateOf(thrown) === '42501') {
      throw new PosternError('UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege (SQLSTATE 42501)', {
        cause: thrown,
        hint: `Have an administrator of the database run: ${statement}`,
      })
    }
    throw translatePostgresError(thrown)
  }
}

/** read_only_sql_transaction (PostgreSQL appendix A). */
const READ_ONLY_TRANSACTION = '25006'
/** The session is lost, not the statement refused: operator intervention, connection exception, system error. */
const SESSION_LOST = /^(?:57P|08|58)/

/**
 * The failure of somebody's statement: what the database says of it is for whoever wrote it.
 * @param text the whole text that the statement is a part of; the place of the error is counted in it
 */
export function translateStatementError(
  thrown: unknown,
  text: string,
  statement: SplitStatement,
  isReadOnly: boolean,
): PosternError {
  const sqlstate = sqlstateOf(thrown)
  if (!(thrown instanceof pg.DatabaseError) || sqlstate === undefined || SESSION_LOST.test(sqlstate)) {
    return translatePostgresError(thrown)
  }
  if (isReadOnly && sqlstate === READ_ONLY_TRANSACTION) return refused('would write', thrown)
  const position = thrown.position === undefined ? undefined : Number(thrown.position)
  const message = thrown.detail === undefined ? thrown.message : `${thrown.message}: ${thrown.detail}`
  return statementFailed(message, {
    databaseCode: sqlstate,
    hint: thrown.hint,
    cause: thrown,
    ...(position !== undefined && {
      position: positionAt(text, statement.offset + utf16Offset(statement.text, position - 1)),
    }),
  })
}

/** The server counts characters, we count UTF-16 units. */
function utf16Offset(text: string, characters: number): number {
  let offset = 0
  let counted = 0
  for (const character of text) {
    if (counted >= characters) break
    counted += 1
    offset += character.length
  }
  return offset
}
