import mysql from 'mysql2'
import { PosternError } from '../../base/errors.ts'
import type { SplitStatement, SqlToken } from './split-statements.ts'

/** What begins a statement that reads and does nothing else. Everything else is refused, whatever it might be. */
const READING = new Set(['select', 'with', 'values', 'table', 'show', 'describe', 'desc', 'explain'])

/** Functions that do more than read, or read files of the server, and that a read-only transaction does not stop. */
const NEVER = new Set([
  'get_lock',
  'lastval',
  'load_file',
  'nextval',
  'release_all_locks',
  'release_lock',
  'setval',
  'sys_eval',
  'sys_exec',
  'sys_get',
  'sys_set',
  'wsrep_sync_wait_upto_gtid',
])

/** Words in a row that make a SELECT take locks or write. Quoted names are no words. */
const NEVER_IN_A_ROW: readonly (readonly string[])[] = [
  ['into'],
  ['for', 'update'],
  ['for', 'share'],
  ['lock', 'in', 'share', 'mode'],
  ['next', 'value', 'for'],
  ['previous', 'value', 'for'],
]

/**
 * Refuses a statement that does not begin as one that reads, or holds what a read-only transaction lets pass. The server takes
 * one statement at a time (no MULTI_STATEMENTS), so nothing that ends the transaction can follow.
 *
 * @returns names that it may call as functions, for {@link storedFunctionsQuery}
 * @throws PosternError STATEMENT_NOT_READ_ONLY
 */
export function requireReading({ tokens }: SplitStatement): readonly string[] {
  const first = tokens.find(({ kind, text }) => kind !== 'symbol' || text !== '(')
  if (first?.kind !== 'word' || !READING.has(first.text)) throw refused(`begins with ${shown(first)}`)
  if (tokens.some(({ kind }) => kind === 'executable')) throw refused('has a comment that the database would run')
  for (const words of NEVER_IN_A_ROW) {
    if (tokens.some((_, at) => words.every((word, index) => isWord(tokens[at + index], word)))) {
      throw refused(`has ${words.join(' ').toUpperCase()}`)
    }
  }
  const called = [...new Set(tokens.flatMap((token, at) => (isCall(tokens, at) ? [token.text.toLowerCase()] : [])))]
  const never = called.find((name) => NEVER.has(name))
  if (never !== undefined) throw refused(`calls ${never}, which can do more than read`)
  return called
}

/**
 * SQL that finds stored functions, among those that a statement may call, which do not say that they only read. One column,
 * `name`. All functions of a name count, since which one is meant is not known here.
 */
export function storedFunctionsQuery(called: readonly string[]): string | undefined {
  if (called.length === 0) return undefined
  return `select ROUTINE_NAME as name from information_schema.ROUTINES
    where ROUTINE_TYPE = 'FUNCTION' and lower(ROUTINE_NAME) in (${called.map((name) => mysql.escape(name)).join(', ')})
      and SQL_DATA_ACCESS not in ('READS SQL DATA', 'NO SQL') and IS_DETERMINISTIC <> 'YES' limit 1`
}

/** The refusal of a function that {@link storedFunctionsQuery} found. */
export function refusedFunction(name: string): PosternError {
  return refused(`calls the function ${name}, which does not say that it only reads (READS SQL DATA)`)
}

/** The refusal of what the database itself found to write. */
export function refused(reason: string, cause?: unknown): PosternError {
  return new PosternError('STATEMENT_NOT_READ_ONLY', `the statement ${reason}; a read-only session only reads`, {
    cause,
  })
}

function isCall(tokens: readonly SqlToken[], at: number): boolean {
  const [token, next] = [tokens[at], tokens[at + 1]]
  return (token?.kind === 'word' || token?.kind === 'name') && next?.kind === 'symbol' && next.text === '('
}

function isWord(token: SqlToken | undefined, text: string): boolean {
  return token?.kind === 'word' && token.text === text
}

function shown(token: SqlToken | undefined): string {
  if (token === undefined) return 'nothing'
  return token.kind === 'word' ? token.text.toUpperCase() : 'what is no keyword'
}
