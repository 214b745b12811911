import pg from 'pg'
import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { errorCode } from '../../dialer/dial-errors.ts'

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
