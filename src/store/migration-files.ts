import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packedFile } from '../base/installation.ts'

/** One migration: a file of SQL, applied once, never changed afterwards. */
export interface Migration {
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file in hex: shows that an applied file was changed. */
  readonly sha256: string
}

/** Every migration in the order in which they are applied. Add new ones at the end. */
const NAMES = [
  '0001_spine',
  '0002_data_sources',
  '0003_catalog',
  '0004_sql',
  '0005_secret_references',
  '0006_iam',
  '0007_identity',
  '0008_oauth',
  '0009_instance_permissions',
  '0010_postgres_roles',
  '0011_cloud_logins',
] as const

/** The migrations that this version of Postern knows. */
export function readMigrations(folder = packedFile('src/store/migrations')): Migration[] {
  return NAMES.map((name) => {
    const sql = readFileSync(join(folder, `${name}.sql`), 'utf8')
    return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
  })
}
