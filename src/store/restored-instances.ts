import { type Kysely, sql } from 'kysely'
import type { Schema } from './schema.ts'

/**
 * What a backup says of managed instances is what was, and their servers are not in it: each that should run is FAILED, with
 * `reason`, until its node has it running again.
 */
export async function markManagedInstancesUnseen(db: Kysely<Schema>, reason: string): Promise<void> {
  await sql`update instance set state = 'FAILED', state_reason = ${reason}, updated_at = now(), version = version + 1
    from managed_instance m where m.instance_id = instance.id and m.desired = 'running'`.execute(db)
}

/** Gives every managed instance to one node, which has none yet: the nodes that had them are gone. */
export async function moveManagedInstances(db: Kysely<Schema>, nodeId: string): Promise<void> {
  await sql`update managed_instance m set node_id = ${nodeId}, slot = n.slot, socket_path = null, observed_at = null
    from (select instance_id, row_number() over (order by node_id, slot)::integer as slot from managed_instance) n
    where n.instance_id = m.instance_id`.execute(db)
}
