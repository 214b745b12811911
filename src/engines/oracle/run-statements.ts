import { Interruption } from '../interruption.ts'
import { statementTimedOut } from '../statement-error.ts'
import type { QueryEvent, QueryOptions } from '../query-events.ts'
import type { ScannedStatement } from '../scan-statements.ts'
import type { OracleConnection } from './connection.ts'
import { isOracleCancel, statementFailure } from './errors.ts'
import { commandOf, isProgramText, requireReadOnly, scanOracleStatements } from './statements.ts'

const ROWS_AT_A_TIME = 200
/** The driver gives up this much later than we tell the database to. */
const GRACE_MS = 2000

/** Statements of a caller, one after the other. Held to reading, each runs in a READ ONLY transaction of its own. */
export async function* runOracleStatements(
  connection: OracleConnection,
  sql: string,
  options: QueryOptions,
  isReadOnly: boolean,
): AsyncGenerator<QueryEvent> {
  const statements = scanOracleStatements(sql)
  // All are looked at before the first one runs.
  if (isReadOnly) for (const statement of statements) requireReadOnly(statement)
  const interruption = new Interruption(options)
  interruption.onRequest(() => void connection.interrupt().catch(() => undefined))
  const executeOptions = { autoCommit: !isReadOnly, timeoutMs: options.timeoutMs + GRACE_MS }
  try {
    for (const statement of statements) {
      interruption.check()
      try {
        if (isReadOnly) await connection.execute('SET TRANSACTION READ ONLY', [], executeOptions)
        yield* runOne(connection, statement, interruption, executeOptions)
      } catch (thrown) {
        if (interruption.isRequested) throw interruption.error(thrown)
        if (isOracleCancel(thrown)) throw statementTimedOut(options.timeoutMs, thrown)
        throw statementFailure(thrown, { wholeText: sql, offset: statement.offset })
      } finally {
        // Ends the transaction, also where the rows were not read to their end.
        if (isReadOnly) await connection.rollback().catch(() => undefined)
      }
    }
  } finally {
    interruption.close()
  }
}

async function* runOne(
  connection: OracleConnection,
  statement: ScannedStatement,
  interruption: Interruption,
  executeOptions: { readonly autoCommit: boolean; readonly timeoutMs: number },
): AsyncGenerator<QueryEvent> {
  const text = isProgramText(statement.tokens) && !statement.text.endsWith(';') ? `${statement.text};` : statement.text
  const result = await connection.execute(text, [], executeOptions)
  const command = commandOf(statement)
  if (!('rows' in result)) {
    yield { type: 'complete', command, rowCount: result.changedRows }
    return
  }
  const { rows } = result
  try {
    yield { type: 'columns', columns: rows.columns }
    let count = 0
    for (;;) {
      interruption.check()
      const some = await rows.next(ROWS_AT_A_TIME)
      if (some.length === 0) break
      count += some.length
      yield { type: 'rows', rows: some }
    }
    yield { type: 'complete', command, rowCount: count }
  } finally {
    await rows.close().catch(() => undefined)
  }
}
