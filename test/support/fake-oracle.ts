import type { ExecuteOptions, OracleConnection, OracleResult } from '../../src/engines/oracle/connection.ts'
import type { Cell } from '../../src/engines/query-events.ts'

/** Rows of a view, or of a view joined to its comments, by the names of the columns. */
type Row = Readonly<Record<string, string | null>>

/** What an Oracle database holds, as far as the dictionary tells it. */
export interface FakeOracleDatabase {
  /** Values of SYS_CONTEXT('USERENV', …). */
  readonly context: Readonly<Record<string, string | null>>
  /** Rows by view; those of the DBA and ALL views are under `all_…`. */
  readonly views: Readonly<Record<string, readonly Row[]>>
  /** Views that the user may not read: ORA-00942. */
  readonly hidden?: readonly string[]
}

/** What a statement of a caller does: rows, changed rows, or an error; `hang` until it is interrupted. */
export type FakeStatement =
  | { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] }
  | { readonly changed: number }
  | { readonly fails: readonly [errorNum: number, message: string, offset: number] }
  | 'hang'

/** Columns as the reference of the dictionary has them (Oracle Database Reference 19c): of those that could be asked for. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  dual: ['dummy'],
  v$database: ['dbid', 'name', 'created', 'open_mode', 'database_role', 'cdb', 'con_id', 'db_unique_name'],
  v$pdbs: ['con_id', 'dbid', 'guid', 'name', 'open_mode', 'restricted', 'open_time', 'total_size'],
  v$services: ['service_id', 'name', 'name_hash', 'network_name', 'creation_date', 'pdb', 'con_id'],
  nls_database_parameters: ['parameter', 'value'],
  session_privs: ['privilege'],
  session_roles: ['role'],
  user_tab_privs_recd: ['owner', 'table_name', 'grantor', 'privilege', 'grantable', 'hierarchy', 'common', 'type'],
  all_users: ['username', 'user_id', 'created', 'common', 'oracle_maintained', 'inherited', 'default_collation'],
  all_tables: [
    'owner',
    'table_name',
    'num_rows',
    'blocks',
    'nested',
    'secondary',
    'dropped',
    'temporary',
    'partitioned',
  ],
  all_tab_comments: ['owner', 'table_name', 'table_type', 'comments', 'origin_con_id'],
  all_col_comments: ['owner', 'table_name', 'column_name', 'comments', 'origin_con_id'],
  all_views: ['owner', 'view_name', 'text_length', 'text', 'text_vc', 'type_text', 'read_only'],
  all_mviews: ['owner', 'mview_name', 'container_name', 'query', 'updatable', 'refresh_mode'],
  all_external_tables: ['owner', 'table_name', 'type_owner', 'type_name', 'default_directory_name', 'access_type'],
  all_tab_columns: [
    'owner',
    'table_name',
    'column_name',
    'data_type',
    'data_length',
    'data_precision',
    'data_scale',
    'nullable',
    'column_id',
    'default_length',
    'data_default',
    'char_length',
    'char_used',
    'identity_column',
  ],
  all_indexes: ['owner', 'index_name', 'index_type', 'table_owner', 'table_name', 'uniqueness', 'status'],
  all_ind_columns: [
    'index_owner',
    'index_name',
    'table_owner',
    'table_name',
    'column_name',
    'column_position',
    'descend',
  ],
  all_constraints: ['owner', 'constraint_name', 'constraint_type', 'table_name', 'status', 'index_owner', 'index_name'],
}
const CONTEXTS = ['SESSION_USER', 'DB_NAME', 'IP_ADDRESS', 'CON_NAME', 'CDB_NAME']

/** A failure as the driver throws it. */
function oracleError(errorNum: number, message: string, offset = 0): Error {
  const code = `ORA-${String(errorNum).padStart(5, '0')}`
  return Object.assign(new Error(`${code}: ${message}`), { errorNum, code, offset })
}

/**
 * A session of Oracle on the level of its queries: it evaluates SELECTs on the views of the dictionary that it knows, and refuses
 * views (ORA-00942), columns (ORA-00904) and words (ORA-00900) that it does not. Statements of callers answer what a test says.
 */
export class FakeOracle implements OracleConnection {
  readonly serverVersion = '19.22.0.0.0'
  readonly executed: string[] = []
  isClosed = false
  readonly #database: FakeOracleDatabase
  readonly #statements: Readonly<Record<string, FakeStatement>>
  #interrupt: () => void = () => undefined
  #isReadOnly = false

  constructor(database: FakeOracleDatabase, statements: Readonly<Record<string, FakeStatement>> = {}) {
    this.#database = database
    this.#statements = statements
  }

  async execute(sql: string, binds: readonly string[], options: ExecuteOptions): Promise<OracleResult> {
    if (this.isClosed) throw oracleError(1012, 'not logged on')
    this.executed.push(sql)
    const statement = this.#statements[sql]
    if (statement !== undefined) return this.#run(statement, options)
    if (sql === 'SET TRANSACTION READ ONLY') {
      if (this.#isReadOnly) throw oracleError(1453, 'SET TRANSACTION must be first statement of transaction')
      this.#isReadOnly = true
      return { changedRows: 0 }
    }
    if (/^ALTER SESSION SET CURRENT_SCHEMA = "[^"]+"$/.test(sql)) return { changedRows: 0 }
    return resultOf([], this.#select(sql, binds))
  }

  ping(): Promise<void> {
    return Promise.resolve()
  }

  interrupt(): Promise<void> {
    this.#interrupt()
    return Promise.resolve()
  }

  rollback(): Promise<void> {
    this.#isReadOnly = false
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }

  #run(statement: FakeStatement, { autoCommit }: ExecuteOptions): Promise<OracleResult> {
    if (statement === 'hang') {
      return new Promise((_, reject) => {
        this.#interrupt = () => reject(oracleError(1013, 'user requested cancel of current operation'))
      })
    }
    if ('fails' in statement) return Promise.reject(oracleError(...statement.fails))
    if ('columns' in statement) return Promise.resolve(resultOf(statement.columns, statement.rows))
    if (this.#isReadOnly) {
      return Promise.reject(
        oracleError(1456, 'may not perform insert, delete, update operation inside a READ ONLY transaction'),
      )
    }
    if (!autoCommit) return Promise.reject(new Error('a change that nobody commits'))
    return Promise.resolve({ changedRows: statement.changed })
  }

  #select(sql: string, binds: readonly string[]): readonly (readonly Cell[])[] {
    const parts = /^SELECT (DISTINCT )?(.+?) FROM (.+?)(?: WHERE (.+?))?(?: ORDER BY (.+))?$/.exec(sql)
    if (parts === null) throw oracleError(900, 'invalid SQL statement')
    const [, distinct, list = '', from = '', where, order] = parts
    const known = this.#columnsOf(from)
    checkQualified(from, known)
    for (const text of [where, order, list]) checkNames(text ?? '', known)
    if (from === 'dual') return [this.#readContext(list)]
    const main = viewOf(from.split(' ', 1)[0] ?? '')
    const rows = (this.#database.views[main] ?? []).filter((row) => matches(row, where ?? '', binds))
    const columns = list.split(', ').map(columnIn)
    const sorted = order === undefined ? rows : sortBy(rows, order.split(', ').map(columnIn))
    const projected = sorted.map((row) => columns.map((column) => row[column] ?? null))
    if (distinct === undefined) return projected
    return [...new Map(projected.map((row) => [JSON.stringify(row), row])).values()]
  }

  /** Columns by alias; under '' those of a view without one. */
  #columnsOf(from: string): KnownColumns {
    const known = new Map<string, readonly string[]>()
    for (const [, name = '', alias = ''] of from.matchAll(/(?:^|JOIN )([a-z_$]+)(?: ([a-z])\b)?/g)) {
      const columns = COLUMNS[viewOf(name)]
      if (columns === undefined || this.#database.hidden?.includes(name)) {
        throw oracleError(942, 'table or view does not exist')
      }
      known.set(alias, columns)
    }
    return known
  }

  #readContext(list: string): readonly Cell[] {
    return [...list.matchAll(/SYS_CONTEXT\('USERENV', '(\w+)'\)/g)].map(([, name = '']) => {
      if (!CONTEXTS.includes(name)) throw oracleError(2003, 'invalid USERENV parameter')
      return this.#database.context[name] ?? null
    })
  }
}

function viewOf(name: string): string {
  return name.replace(/^dba_/, 'all_')
}

type KnownColumns = ReadonlyMap<string, readonly string[]>

function withoutValues(text: string): string {
  return text.replaceAll(/'[^']*'/g, '').replaceAll(/:\d/g, '')
}

function checkQualified(text: string, known: KnownColumns): void {
  for (const [, alias = '', column = ''] of withoutValues(text).matchAll(/\b([a-z])\.([a-z_]+)/g)) {
    if (!known.get(alias)?.includes(column)) throw oracleError(904, `"${column.toUpperCase()}": invalid identifier`)
  }
}

function checkNames(text: string, known: KnownColumns): void {
  checkQualified(text, known)
  const single = known.get('')
  if (single === undefined) return
  for (const [word] of withoutValues(text).matchAll(/\b[a-z_]{2,}\b/g)) {
    if (!single.includes(word)) throw oracleError(904, `"${word.toUpperCase()}": invalid identifier`)
  }
}

function columnIn(expression: string): string {
  return /^(?:TO_CHAR\()?(?:[a-z]\.)?([a-z_]+)\)?$/.exec(expression)?.[1] ?? expression
}

function matches(row: Row, where: string, binds: readonly string[]): boolean {
  const between = where.replaceAll(/BETWEEN (:\d) AND (:\d)/g, 'BETWEEN $1..$2')
  return between === '' || between.split(' AND ').every((condition) => holds(row, condition, binds))
}

function holds(row: Row, condition: string, binds: readonly string[]): boolean {
  const value = (text: string): string =>
    text.startsWith(':') ? (binds[Number(text.slice(1)) - 1] ?? '') : text.slice(1, -1)
  const [, column = '', operator = '', operand = ''] =
    /^(?:[a-z]\.)?([a-z_]+) (=|<>|LIKE|NOT LIKE|BETWEEN) (\S+)(?: ESCAPE '\\')?$/.exec(condition) ?? []
  const actual = row[column] ?? ''
  if (operator === '=') return actual === value(operand)
  if (operator === '<>') return actual !== value(operand)
  if (operator === 'LIKE') return actual.startsWith(value(operand).replace('%', ''))
  if (operator === 'NOT LIKE') return !actual.startsWith(value(operand).replace('\\_%', '_'))
  if (operator !== 'BETWEEN') throw oracleError(900, `invalid SQL statement: ${condition}`)
  const [low = '', high = ''] = operand.split('..').map(value)
  return actual >= low && actual <= high
}

function sortBy(rows: readonly Row[], columns: readonly string[]): readonly Row[] {
  const key = (row: Row): string => columns.map((column) => row[column] ?? '').join('\0')
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

function resultOf(columns: readonly string[], rows: readonly (readonly Cell[])[]): OracleResult {
  let at = 0
  return {
    rows: {
      columns: columns.map((name) => ({ name, type: 'VARCHAR2(10)' })),
      next: (count) => Promise.resolve(rows.slice(at, (at += count))),
      close: () => Promise.resolve(),
    },
  }
}
