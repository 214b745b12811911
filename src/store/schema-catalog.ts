import type { ColumnType, Generated } from 'kysely'
import type { InstanceId, PrincipalId } from '../base/ids.ts'
import type { DescribedColumn, DescribedIndex, DescribedTable } from '../engines/catalog-shapes.ts'

/** The tables of migrations/0003_catalog.sql, by the rules of schema.ts. */
export interface CatalogSchema {
  sync_run: SyncRunTable
  catalog_database: CatalogDatabaseTable
  catalog_schema: CatalogSchemaTable
  catalog_table: CatalogTableTable
}

export type SyncReason = 'creation' | 'demand' | 'schedule' | 'manage_mode'
export type SyncState = 'QUEUED' | 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED'

/** Something that could not be read, and why. */
export interface SyncProblem {
  readonly database: string
  /** Null: the whole database. */
  readonly schema: string | null
  readonly code: string
  readonly message: string
}

interface SyncRunTable {
  id: string
  instance_id: InstanceId
  reason: SyncReason
  requested_by: PrincipalId | null
  databases: string[] | null
  state: Generated<SyncState>
  attempts: Generated<number>
  lease_holder: string | null
  lease_until: Date | null
  cancel_requested: Generated<boolean>
  databases_total: number | null
  databases_done: Generated<number>
  schemas_done: Generated<number>
  tables_done: ColumnType<string, string | number | undefined, string | number>
  problem_count: Generated<number>
  problems: ColumnType<SyncProblem[], string | undefined, string>
  failure_code: string | null
  failure: string | null
  created_at: Generated<Date>
  started_at: Date | null
  finished_at: Date | null
}

interface CatalogDatabaseTable {
  id: string
  instance_id: InstanceId
  name: string
  character_set: string | null
  collation_name: string | null
  size_bytes: ColumnType<string | null, string | number | null, string | number | null>
  service_name: string | null
  synced_at: Date | null
  stale: Generated<boolean>
  problem_code: string | null
  problem: string | null
  run_id: string
}

interface CatalogSchemaTable {
  database_id: string
  name: string
  stale: Generated<boolean>
  problem_code: string | null
  problem: string | null
  run_id: string
}

interface CatalogTableTable {
  database_id: string
  schema_name: string
  name: string
  kind: DescribedTable['kind']
  row_estimate: string | null
  size_bytes: string | null
  comment: string | null
  definition: string | null
  columns: ColumnType<DescribedColumn[], string, string>
  indexes: ColumnType<DescribedIndex[], string, string>
  search_text: string
  run_id: string
}
