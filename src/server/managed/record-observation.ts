import type { Kysely } from 'kysely'
import { changeInstance, findInstanceById, type InstanceChange } from '../../store/instances.ts'
import {
  findManagedInstance,
  lockInstance,
  type ManagedInstanceRow,
  recordManagedSocket,
} from '../../store/managed-instances.ts'
import type { Schema } from '../../store/schema.ts'

/**
 * Writes what the supervisor saw of an instance, unless something else has been desired meanwhile: an instance that is being
 * deleted is not declared available by a start that was under way. Nothing is written, and no etag moved, without a change.
 */
export async function recordObservation(
  db: Kysely<Schema>,
  row: ManagedInstanceRow,
  change: InstanceChange,
  socketPath?: string,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await lockInstance(transaction, row.instanceId)
    const current = await findManagedInstance(transaction, row.instanceId)
    if (current?.desired !== row.desired) return
    if (socketPath !== undefined) await recordManagedSocket(transaction, row.instanceId, socketPath)
    const known = await findInstanceById(transaction, row.instanceId)
    const isNews = Object.entries(change).some(([field, value]) => known?.[field as keyof typeof known] !== value)
    if (isNews) await changeInstance(transaction, row.instanceId, change)
  })
}
