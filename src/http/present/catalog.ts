import type { CatalogDatabaseRow } from '../../catalog/read-catalog.ts'
import type { SyncRunRow } from '../../catalog/sync-runs.ts'
import type { CatalogDatabase, SyncRun } from '../../contract/catalog.ts'

export function presentSyncRun(run: SyncRunRow, instance: string): SyncRun {
  return {
    id: run.id,
    instance,
    reason: run.reason,
    databases: run.databases === null ? null : [...run.databases],
    state: run.state,
    databasesTotal: run.databasesTotal,
    databasesDone: run.databasesDone,
    schemasDone: run.schemasDone,
    tablesDone: run.tablesDone,
    problemCount: run.problemCount,
    problems: run.problems.map((problem) => ({ ...problem })),
    failureCode: run.failureCode,
    failure: run.failure,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt?.toISOString() ?? null,
    finishedAt: run.finishedAt?.toISOString() ?? null,
  }
}

export function presentCatalogDatabase(database: CatalogDatabaseRow): CatalogDatabase {
  const { name, characterSet, collation, sizeBytes, serviceName, stale, problemCode, problem } = database
  const syncedAt = database.syncedAt?.toISOString() ?? null
  return { name, characterSet, collation, sizeBytes, serviceName, syncedAt, stale, problemCode, problem }
}
