import { PosternError } from '../base/errors.ts'

/** A place in the text that was to be run, both counted from 1; columns in UTF-16 units, as editors count them. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** What is known of a refused statement. It goes into `detail` of the error, and the place into its text as well. */
export interface StatementFailure {
  /** As the database numbers its errors: an SQLSTATE, an ORA- or a MySQL number. */
  readonly databaseCode?: string | undefined
  readonly position?: TextPosition | undefined
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** The place of a character of a text. @param offset in UTF-16 units, from 0; one past the end is the end */
export function positionAt(text: string, offset: number): TextPosition {
  const before = text.slice(0, Math.max(0, offset))
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: before.length - lineStart + 1 }
}

/**
 * STATEMENT_FAILED in the database's own words: whoever wrote the statement must read them. `detail` has `databaseCode`, `line`
 * and `column`.
 */
export function statementFailed(databaseText: string, failure: StatementFailure): PosternError {
  const { databaseCode, position, hint, cause } = failure
  const notes = [
    ...(databaseCode === undefined ? [] : [databaseCode]),
    ...(position === undefined ? [] : [`line ${position.line}, column ${position.column}`]),
  ]
  const message = notes.length === 0 ? databaseText : `${databaseText} (${notes.join(', ')})`
  return new PosternError('STATEMENT_FAILED', message, { cause, hint, detail: { databaseCode, ...position } })
}

/** STATEMENT_FAILED because the time that was given is over. `detail` has `timeoutMs`. */
export function statementTimedOut(timeoutMs: number, cause?: unknown): PosternError {
  return new PosternError('STATEMENT_FAILED', `the statement did not finish within its time limit of ${timeoutMs} ms`, {
    cause,
    hint: 'Ask for less, or raise the time limit.',
    detail: { timeoutMs },
  })
}
