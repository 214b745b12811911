import { PosternError } from '../../base/errors.ts'
import { scanStatements, type LexicalRules, type ScannedStatement, type SqlToken } from '../scan-statements.ts'

/** docs.snowflake.com/en/sql-reference/data-types-text (constants), and comments of both kinds. */
const SNOWFLAKE_SQL: LexicalRules = {
  lineComments: ['--', '//'],
  nestedComments: false,
  backslashEscapes: true,
  escapesInNames: false,
  stringQuotes: "'",
  nameQuotes: '"',
  tripleQuotes: false,
  dollarQuotes: 'plain',
  alternativeQuotes: false,
}

const READS = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN'])
/** What a query could write or do by: a procedure inside WITH, a sequence, a name put together from text. */
const REFUSED_WORDS = new Set([
  'CALL',
  'PROCEDURE',
  'NEXTVAL',
  'IDENTIFIER',
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'INTO',
])
/** Functions of the system that only look; others cancel queries, end sessions, resume pipes. */
const HARMLESS_SYSTEM_FUNCTIONS = new Set(['SYSTEM$TYPEOF', 'SYSTEM$LAST_CHANGE_COMMIT_TIME'])

export function scanSnowflakeStatements(sql: string): readonly ScannedStatement[] {
  return scanStatements(sql, SNOWFLAKE_SQL)
}

/**
 * The one statement that a read-only session may run: the SQL API has no read-only transactions, so only kinds of statements that
 * read are let through. What they call (functions written by others) is bounded by the role alone.
 *
 * @throws PosternError STATEMENT_NOT_READ_ONLY | INVALID_ARGUMENT for no statement at all
 */
export function requireReadOnly(sql: string): ScannedStatement {
  const [statement, ...more] = scanSnowflakeStatements(sql)
  if (statement === undefined) throw new PosternError('INVALID_ARGUMENT', 'the text holds no statement')
  if (more.length > 0) throw notReadOnly('several statements at once cannot be held to reading: run them one by one')
  if (statement.isOpen) throw notReadOnly('a quote or comment of the statement has no end')
  // `->>` hands the result of one statement to the next, which may be of any kind.
  for (const part of splitAtFlow(statement.tokens)) checkPart(part)
  return statement
}

function checkPart(tokens: readonly SqlToken[]): void {
  const first = tokens.find(({ text }) => text !== '(')
  if (first?.kind !== 'word' || !READS.has(first.text)) {
    throw notReadOnly(`${first?.text ?? 'an empty statement'} is none of SELECT, WITH, SHOW, DESCRIBE and EXPLAIN`)
  }
  for (const { kind, text } of tokens) {
    const name = text.toUpperCase()
    if (kind === 'word' && REFUSED_WORDS.has(name)) throw notReadOnly(`${name} may write`)
    if ((kind === 'word' || kind === 'name') && name.startsWith('SYSTEM$') && !HARMLESS_SYSTEM_FUNCTIONS.has(name)) {
      throw notReadOnly(`${name} may change something`)
    }
  }
}

function splitAtFlow(tokens: readonly SqlToken[]): readonly (readonly SqlToken[])[] {
  const parts: SqlToken[][] = [[]]
  for (let at = 0; at < tokens.length; at += 1) {
    if (['-', '>', '>'].every((sign, index) => tokens[at + index]?.text === sign)) {
      parts.push([])
      at += 2
    } else {
      parts.at(-1)?.push(tokens[at] as SqlToken)
    }
  }
  return parts
}

function notReadOnly(reason: string): PosternError {
  return new PosternError('STATEMENT_NOT_READ_ONLY', `the data source is read-only: ${reason}`)
}
