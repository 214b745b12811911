import { scanStatements, type LexicalRules, type ScannedStatement } from '../scan-statements.ts'

/** The two dialects that a database of Spanner may have. */
export type SpannerDialect = 'GOOGLE_STANDARD_SQL' | 'POSTGRESQL'

/** cloud.google.com/spanner/docs/reference/standard-sql/lexical */
const GOOGLE_SQL: LexicalRules = {
  lineComments: ['--', '#'],
  nestedComments: false,
  backslashEscapes: true,
  escapesInNames: true,
  stringQuotes: `'"`,
  nameQuotes: '`',
  tripleQuotes: true,
  dollarQuotes: 'none',
  alternativeQuotes: false,
}

const POSTGRES: LexicalRules = {
  lineComments: ['--'],
  nestedComments: true,
  backslashEscapes: false,
  escapesInNames: false,
  stringQuotes: "'",
  nameQuotes: '"',
  tripleQuotes: false,
  dollarQuotes: 'tagged',
  alternativeQuotes: false,
}

export function scanSpannerStatements(sql: string, dialect: SpannerDialect): readonly ScannedStatement[] {
  return scanStatements(sql, dialect === 'POSTGRESQL' ? POSTGRES : GOOGLE_SQL)
}

/** By which call of the API a statement runs. */
export type StatementKind = 'query' | 'dml' | 'ddl'

const DDL = new Set(['CREATE', 'ALTER', 'DROP', 'GRANT', 'REVOKE', 'RENAME', 'ANALYZE', 'COMMENT'])
const DML = new Set(['INSERT', 'UPDATE', 'DELETE'])

/**
 * Kind by the first word, after hints (`@{…}`). A wrong guess does no harm: the read-only transaction that a query runs in
 * refuses what writes.
 */
export function statementKind({ tokens }: ScannedStatement): StatementKind {
  const afterHint = tokens[0]?.text === '@' ? tokens.findIndex(({ text }) => text === '}') + 1 : 0
  const first = tokens[afterHint]
  if (first?.kind !== 'word') return 'query'
  if (DDL.has(first.text)) return 'ddl'
  return DML.has(first.text) ? 'dml' : 'query'
}

/** First word of a statement, as what was done. */
export function commandOf({ tokens }: ScannedStatement): string | null {
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text)
  if (words[0] === undefined) return null
  return DDL.has(words[0]) && words[1] !== undefined ? `${words[0]} ${words[1]}` : words[0]
}
