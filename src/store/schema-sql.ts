import type { ColumnType, Generated } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'

/** The table of migrations/0004_sql.sql, by the rules of schema.ts. */
export interface SqlSchema {
  sql_execution: SqlExecutionTable
}

export type SqlSource = 'read_only' | 'admin' | 'self'
export type SqlState = 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED'
/** Which limit cut the result. */
export type SqlTruncation = 'rows' | 'bytes' | 'time'

interface SqlExecutionTable {
  id: string
  workspace_id: WorkspaceId
  principal_id: PrincipalId
  instance_id: InstanceId | null
  instance_name: string
  source: SqlSource
  data_source_name: string | null
  postgres_role: string | null
  database: string
  statement_sealed: Buffer
  statement_kind: string
  state: Generated<SqlState>
  error_code: string | null
  sqlstate: string | null
  truncated: SqlTruncation | null
  row_count: ColumnType<string | null, number | null | undefined, number | null>
  byte_count: ColumnType<string | null, number | null | undefined, number | null>
  elapsed_ms: ColumnType<string | null, number | null | undefined, number | null>
  started_at: Generated<Date>
  running_until: Date
}
