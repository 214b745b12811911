import type { SqlExecution } from '../../contract/sql.ts'
import type { SqlHistoryEntry } from '../../sql/history.ts'

/** The way out for a statement that somebody ran: to its own principal alone. */
export function presentSqlExecution(entry: SqlHistoryEntry): SqlExecution {
  return {
    id: entry.id,
    instance: entry.instanceName,
    database: entry.database,
    source: entry.source,
    dataSource: entry.dataSourceName,
    role: entry.postgresRole,
    statement: entry.statement,
    kind: entry.statementKind,
    state: entry.state,
    errorCode: entry.errorCode,
    databaseCode: entry.sqlstate,
    truncated: entry.truncated,
    rows: entry.rowCount,
    bytes: entry.byteCount,
    elapsedMs: entry.elapsedMs,
    startedAt: entry.startedAt.toISOString(),
  }
}
