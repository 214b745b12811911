import type { DatabaseSummary } from '../catalog-shapes.ts'
import type { OwnQuery } from './own-query.ts'

/** What the servers keep for themselves. */
const SYSTEM_DATABASES = [
  'information_schema',
  'inspection_schema',
  'metrics_schema',
  'mysql',
  'performance_schema',
  'sys',
  'lightning_task_info',
]

/** Databases that the user may see. Without sizes: the server would open every table of every database for them. */
export async function listDatabases(own: OwnQuery): Promise<readonly DatabaseSummary[]> {
  const rows = await own<{ name: string; characterSet: string; collation: string }>(
    `select SCHEMA_NAME as name, DEFAULT_CHARACTER_SET_NAME as characterSet, DEFAULT_COLLATION_NAME as collation
     from information_schema.SCHEMATA
     where lower(SCHEMA_NAME) not in (${SYSTEM_DATABASES.map((name) => `'${name}'`).join(', ')}) order by SCHEMA_NAME`,
  )
  return rows.map((row) => ({ ...row, sizeBytes: null }))
}
