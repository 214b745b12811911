import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** The one row that says which deployment the store belongs to. */
export interface DeploymentRow {
  /** UUID. */
  readonly id: string
  /** Sealed value that only the right master key opens. */
  readonly keyCheck: Buffer
}

/** Absent in a store that no node has started on yet. */
export async function findDeployment(db: Kysely<Schema>): Promise<DeploymentRow | undefined> {
  const row = await db.selectFrom('deployment').select(['id', 'key_check']).executeTakeFirst()
  return row && { id: row.id, keyCheck: row.key_check }
}

/** Writes the row unless there is one. */
export async function insertDeployment(db: Kysely<Schema>, keyCheck: Buffer): Promise<void> {
  await db
    .insertInto('deployment')
    .values({ key_check: keyCheck })
    .onConflict((conflict) => conflict.column('singleton').doNothing())
    .execute()
}
