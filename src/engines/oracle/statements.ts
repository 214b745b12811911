import { PosternError } from '../../base/errors.ts'
import { scanStatements, type LexicalRules, type ScannedStatement, type SqlToken } from '../scan-statements.ts'

const PROGRAM_UNITS = new Set(['FUNCTION', 'PROCEDURE', 'PACKAGE', 'TRIGGER', 'TYPE', 'LIBRARY'])
const WORDS_BEFORE_UNIT = new Set([
  'OR',
  'REPLACE',
  'EDITIONABLE',
  'NONEDITIONABLE',
  'AND',
  'RESOLVE',
  'COMPILE',
  'IF',
  'NOT',
  'EXISTS',
])

const ORACLE_SQL: LexicalRules = {
  lineComments: ['--'],
  nestedComments: false,
  backslashEscapes: false,
  escapesInNames: false,
  stringQuotes: "'",
  nameQuotes: '"',
  tripleQuotes: false,
  dollarQuotes: 'none',
  alternativeQuotes: true,
  isBlock: isProgramText,
}

export function scanOracleStatements(sql: string): readonly ScannedStatement[] {
  return scanStatements(sql, ORACLE_SQL)
}

/** PL/SQL: it holds semicolons, and its last one belongs to it. */
export function isProgramText(tokens: readonly SqlToken[]): boolean {
  const words = tokens.slice(0, 12).map(({ kind, text }) => (kind === 'word' ? text : ''))
  if (words[0] === 'BEGIN' || words[0] === 'DECLARE') return true
  if (words[0] === 'WITH') return declaresProgram(tokens)
  if (words[0] !== 'CREATE') return false
  const unit = words.slice(1).find((word) => !WORDS_BEFORE_UNIT.has(word))
  return unit !== undefined && PROGRAM_UNITS.has(unit)
}

/** `WITH FUNCTION …`: PL/SQL in a query, which may run in a transaction of its own and write there. */
function declaresProgram(tokens: readonly SqlToken[]): boolean {
  return tokens.some(({ kind, text }, index) => {
    const before = tokens[index - 1]?.text
    const declares = kind === 'word' && (text === 'FUNCTION' || text === 'PROCEDURE')
    return declares && (before === 'WITH' || before === ';' || before === ',')
  })
}

/**
 * Lets only what reads into a read-only session. The transaction is READ ONLY too, but whatever commits ends that, and a
 * program may write in a transaction of its own.
 * @throws PosternError STATEMENT_NOT_READ_ONLY
 */
export function requireReadOnly(statement: ScannedStatement): void {
  const first = statement.tokens.find(({ text }) => text !== '(')
  if (statement.isOpen) throw notReadOnly('a quote or comment of the statement has no end')
  if (first?.kind !== 'word' || (first.text !== 'SELECT' && first.text !== 'WITH')) {
    throw notReadOnly(`${first?.text ?? 'this'} is neither SELECT nor WITH`)
  }
  if (declaresProgram(statement.tokens)) throw notReadOnly('PL/SQL inside WITH may write in a transaction of its own')
  if (statement.tokens.some(({ kind, text }) => kind === 'word' && text === 'NEXTVAL')) {
    throw notReadOnly('NEXTVAL changes the sequence')
  }
  const words = statement.tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text)
  if (words.some((word, index) => word === 'FOR' && words[index + 1] === 'UPDATE')) {
    throw notReadOnly('FOR UPDATE locks rows')
  }
}

/** What was done, for the answer: `INSERT`, `CREATE TABLE`. */
export function commandOf({ tokens }: ScannedStatement): string | null {
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text)
  const [first, second] = words
  if (first === undefined) return null
  if (first === 'BEGIN' || first === 'DECLARE') return 'PL/SQL'
  const isDdl = ['CREATE', 'ALTER', 'DROP', 'TRUNCATE'].includes(first) && second !== undefined
  return isDdl ? `${first} ${second === 'OR' ? (words[3] ?? second) : second}` : first
}

function notReadOnly(reason: string): PosternError {
  return new PosternError('STATEMENT_NOT_READ_ONLY', `the data source is read-only: ${reason}`)
}
