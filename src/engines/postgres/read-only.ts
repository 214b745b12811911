import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { SplitStatement, SqlToken } from './split-statements.ts'

/** What begins a statement that reads and does nothing else. Everything else is refused, whatever it might be. */
const READING = new Set(['select', 'with', 'values', 'table', 'show', 'explain'])
/** What may be explained. EXPLAIN ANALYZE runs it, in a transaction that is read-only. */
const EXPLAINABLE = new Set(['select', 'with', 'values', 'table', 'insert', 'update', 'delete', 'merge'])
const EXPLAIN_OPTIONS = new Set(['analyze', 'analyse', 'verbose'])

/**
 * VOLATILE functions that change nothing, or nothing that outlives the statement. All others of that kind are refused: a
 * read-only transaction stops writes to tables, and nothing else. It stops no file, no signal, no other session (dblink), no
 * setting.
 */
const HARMLESS_VOLATILE = [
  'array_sample',
  'array_shuffle',
  'bernoulli',
  'clock_timestamp',
  'currval',
  'gen_random_bytes',
  'gen_random_uuid',
  'gen_salt',
  'lastval',
  'pg_blocking_pids',
  'pg_column_compression',
  'pg_control_checkpoint',
  'pg_control_init',
  'pg_control_recovery',
  'pg_control_system',
  'pg_current_wal_flush_lsn',
  'pg_current_wal_insert_lsn',
  'pg_current_wal_lsn',
  'pg_database_size',
  'pg_get_replication_slots',
  'pg_indexes_size',
  'pg_is_in_recovery',
  'pg_is_wal_replay_paused',
  'pg_last_committed_xact',
  'pg_last_wal_receive_lsn',
  'pg_last_wal_replay_lsn',
  'pg_last_xact_replay_timestamp',
  'pg_lock_status',
  'pg_notification_queue_usage',
  'pg_prepared_xact',
  'pg_relation_size',
  'pg_sequence_last_value',
  'pg_sleep',
  'pg_sleep_for',
  'pg_sleep_until',
  'pg_table_size',
  'pg_tablespace_size',
  'pg_total_relation_size',
  'pg_wal_lsn_diff',
  'pg_xact_commit_timestamp',
  'random',
  'random_normal',
  'setseed',
  'system',
  'timeofday',
  'uuid_generate_v1',
  'uuid_generate_v1mc',
  'uuid_generate_v4',
  'uuidv4',
  'uuidv7',
]

/** Functions that run SQL which they are given as text, or read files, and do not say so in their volatility. */
const NEVER = new Set([
  'connectby',
  'crosstab',
  'crosstab2',
  'crosstab3',
  'crosstab4',
  'crosstabn',
  'cursor_to_xml',
  'cursor_to_xmlschema',
  'dblink',
  'dblink_exec',
  'query_to_xml',
  'query_to_xml_and_xmlschema',
  'query_to_xmlschema',
  'set_config',
  'ts_rewrite',
  'ts_stat',
  'xpath_table',
])

/** Names that a statement may call as functions: `name(…)`, and `row.name`, which calls a function of a row. */
export interface CalledNames {
  readonly called: readonly string[]
  readonly attributes: readonly string[]
}

/**
 * Refuses a statement that does not begin as one that reads. The rest is the server's: it runs in a read-only transaction, by the
 * extended protocol, which takes one statement at a time; so nothing that ends the transaction can follow.
 *
 * @returns the names to ask {@link refuseVolatileFunctions} about
 * @throws PosternError STATEMENT_NOT_READ_ONLY
 */
export function requireReading(statement: SplitStatement): CalledNames {
  const { tokens } = statement
  const first = wordAfter(tokens, 0)
  if (first === undefined || !READING.has(first.word)) throw refused(`begins with ${shown(tokens[0])}`)
  if (first.word === 'explain') requireExplainable(tokens, first.at + 1)
  if (tokens.some(({ kind }) => kind === 'unicode-name')) {
    throw refused('has a U&"…" name, which could hide a function')
  }
  const names = calledNames(tokens)
  const never = names.called.find((name) => NEVER.has(name))
  if (never !== undefined) throw refused(`calls ${never}, which can do more than read`)
  return names
}

/**
 * SQL that finds functions, among those that a statement may call, which may do more than read. One column, `name`. All
 * functions of a name count, since which one is meant is not known here.
 */
export function volatileFunctionsQuery({ called, attributes }: CalledNames): string | undefined {
  if (called.length === 0 && attributes.length === 0) return undefined
  // A row goes as the argument of a composite type, of any type (pseudo-types), of a domain, or into VARIADIC; further arguments
  // may have defaults.
  const takesRow = `p.pronargs > 0 and (p.provariadic <> 0 or exists (
    select 1 from pg_catalog.pg_type t where t.oid = p.proargtypes[0] and t.typtype in ('c', 'p', 'd')))`
  return `
    select p.proname::text as name from pg_catalog.pg_proc p
    where p.provolatile = 'v'
      and (p.proname::text in (${list(called)}) or (p.proname::text in (${list(attributes)}) and ${takesRow}))
      and not (p.proname::text in (${list(HARMLESS_VOLATILE)}) and (
        p.pronamespace = (select oid from pg_catalog.pg_namespace where nspname = 'pg_catalog')
        or exists (select 1 from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')))
    order by 1 limit 1`
}

/** The refusal of a function that {@link volatileFunctionsQuery} found. */
export function refusedFunction(name: string): PosternError {
  return refused(`calls the function ${name}, which is VOLATILE: it may do more than read`)
}

/** The refusal of what the database itself found to write, or of a statement that left its transaction. */
export function refused(reason: string, cause?: unknown): PosternError {
  return new PosternError('STATEMENT_NOT_READ_ONLY', `the statement ${reason}; a read-only session only reads`, {
    cause,
  })
}

function requireExplainable(tokens: readonly SqlToken[], from: number): void {
  let at = from
  // EXPLAIN (ANALYZE, FORMAT JSON) …: the options are words, numbers and strings.
  if (isSymbol(tokens[at], '(') && !isReadingWord(wordAfter(tokens, at)?.word)) {
    while (at < tokens.length && !isSymbol(tokens[at], ')')) at += 1
    at += 1
  }
  while (tokens[at]?.kind === 'word' && EXPLAIN_OPTIONS.has(tokens[at]?.text ?? '')) at += 1
  const explained = wordAfter(tokens, at)
  if (explained === undefined || !EXPLAINABLE.has(explained.word)) throw refused(`explains ${shown(tokens[at])}`)
}

function isReadingWord(word: string | undefined): boolean {
  return word !== undefined && word !== 'explain' && word !== 'show' && READING.has(word)
}

/** The word at `from`, past parentheses that open before it. */
function wordAfter(tokens: readonly SqlToken[], from: number): { word: string; at: number } | undefined {
  let at = from
  while (isSymbol(tokens[at], '(')) at += 1
  const token = tokens[at]
  return token?.kind === 'word' ? { word: token.text, at } : undefined
}

function calledNames(tokens: readonly SqlToken[]): CalledNames {
  const called = new Set<string>()
  const attributes = new Set<string>()
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' && token.kind !== 'name') continue
    if (isSymbol(tokens[index + 1], '(')) called.add(token.text)
    else if (isSymbol(tokens[index - 1], '.')) attributes.add(token.text)
  }
  return { called: [...called], attributes: [...attributes] }
}

function isSymbol(token: SqlToken | undefined, text: string): boolean {
  return token?.kind === 'symbol' && token.text === text
}

function shown(token: SqlToken | undefined): string {
  if (token === undefined) return 'nothing'
  return token.kind === 'word' ? token.text.toUpperCase() : 'what is no keyword'
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'null' : names.map((name) => pg.escapeLiteral(name)).join(', ')
}
