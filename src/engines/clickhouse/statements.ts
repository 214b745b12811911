import { PosternError } from '../../base/errors.ts'
import type { SessionPurpose } from '../engine.ts'
import { scanStatements, type LexicalRules, type ScannedStatement, type SqlToken } from '../scan-statements.ts'

const RULES: LexicalRules = {
  lineComments: ['--', '//', '#!', '# '],
  nestedComments: false,
  backslashEscapes: true,
  escapesInNames: true,
  stringQuotes: "'",
  nameQuotes: '`"',
  tripleQuotes: false,
  dollarQuotes: 'tagged',
  alternativeQuotes: false,
}

/**
 * The statements of a text, each to be sent on its own: HTTP takes one at a time.
 * @throws PosternError STATEMENT_FAILED for what would have no effect, or an answer in a form that cannot be shown;
 *   STATEMENT_NOT_READ_ONLY in a read-only session for what does more than read
 */
export function splitClickHouse(sql: string, purpose: SessionPurpose): readonly ScannedStatement[] {
  const found = scanStatements(sql, RULES)
  const inline = found.findIndex(holdsData)
  const first = found[inline]
  // Data of INSERT … FORMAT goes to the end, with whatever semicolons and quotes it has.
  const statements =
    first === undefined ? found : [...found.slice(0, inline), { ...first, text: sql.slice(first.offset) }]
  for (const statement of statements) {
    if (purpose === 'read_only') requireReading(statement)
    checkStatement(statement)
  }
  return statements
}

function holdsData({ tokens }: ScannedStatement): boolean {
  const format = tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'FORMAT')
  return tokens[0]?.text === 'INSERT' && format > 0 && tokens[format + 1]?.text !== 'VALUES'
}

/** What begins a statement that reads. `readonly` of the server stops writes, but neither KILL QUERY nor what is below. */
const READING: ReadonlySet<string> = new Set([
  'SELECT',
  'WITH',
  '(',
  'SHOW',
  'DESCRIBE',
  'DESC',
  'EXISTS',
  'EXPLAIN',
  'VALUES',
])

/** Table functions that make the server ask or run something else, with whatever that does. */
const REACHING_OUT =
  /^(?:url|urlCluster|remote|remoteSecure|cluster|clusterAllReplicas|mysql|postgresql|mongodb|redis|odbc|jdbc|sqlite|hive|hdfs\w*|s3\w*|gcs|oss|cosn|azureBlobStorage\w*|iceberg\w*|deltaLake\w*|hudi\w*|paimon\w*|executable|file|fileCluster|filesystem|arrowFlight|ytsaurus)$/i

/**
 * Whether it could hide a function: a name with an escape, and signs outside of quotes that some versions take for a quote or a
 * blank (`“`, a blank of no width, `$1$`).
 */
function isUnclear({ kind, text }: SqlToken): boolean {
  if (kind === 'name') return text.includes('\\')
  return kind === 'symbol' ? !/^[!-#%-~]$/.test(text) : kind === 'word' && text.includes('$')
}

function requireReading({ tokens }: ScannedStatement): void {
  const first = tokens[0]
  if (first === undefined || first.kind === 'name' || !READING.has(first.text))
    throw notReading('would do more than read')
  const unclear = tokens.find(isUnclear)
  if (unclear !== undefined)
    throw notReading(`has ${JSON.stringify(unclear.text)}, which versions of the server read differently`)
  const outside = tokens.find(
    ({ kind, text }, index) =>
      (kind === 'word' || kind === 'name') && REACHING_OUT.test(text) && tokens[index + 1]?.text === '(',
  )
  if (outside !== undefined) throw notReading(`would reach beyond the server (${outside.text.toLowerCase()})`)
}

function notReading(what: string): PosternError {
  return new PosternError('STATEMENT_NOT_READ_ONLY', `the statement ${what}, which a read-only data source does not`)
}

function checkStatement({ tokens }: ScannedStatement): void {
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text : ''))
  if (words[0] === 'SET' && words[1] !== 'ROLE') {
    throw noEffect(
      'SET has no effect: each statement is a request of its own',
      'Put SETTINGS … at the end of the statement.',
    )
  }
  if (words[0] === 'USE') {
    throw noEffect('USE has no effect: each statement is a request of its own', 'Write the database before the table.')
  }
  if (words[0] === 'SET') {
    throw noEffect(
      'SET ROLE has no effect: each statement is a request of its own',
      'Use a data source with that role.',
    )
  }
  const format = words.lastIndexOf('FORMAT')
  const isLast = format === words.length - 2 || words[format + 2] === 'SETTINGS'
  if (format > 0 && isLast && words[format + 1] !== '' && words[0] !== 'INSERT') {
    throw noEffect('the form of the answer is chosen by Postern', 'Leave the FORMAT clause out.')
  }
  if (words.some((word, index) => word === 'INTO' && words[index + 1] === 'OUTFILE')) {
    throw noEffect('INTO OUTFILE is a part of clickhouse-client alone', 'Leave it out.')
  }
}

function noEffect(text: string, hint: string): PosternError {
  return new PosternError('STATEMENT_FAILED', text, { hint })
}
