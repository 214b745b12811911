import { sql, type Kysely, type Selectable } from 'kysely'
import type { InstanceId } from '../base/ids.ts'
import type { InstanceStateColumn, ManagedInstanceTable } from './schema-instances.ts'
import type { Schema } from './schema.ts'

/** NOTIFY channel on which every change of a desired state is announced; the payload is the instance id. */
export const MANAGED_CHANNEL = 'postern_managed'

export type DesiredState = 'running' | 'stopped' | 'deleted'

/** A local Postgres that the supervisor of one node runs. */
export interface ManagedInstanceRow {
  readonly instanceId: InstanceId
  readonly nodeId: string
  /** Small number, unique on the node: selects the operating system's user and the socket folder. */
  readonly slot: number
  readonly desired: DesiredState
  /** Folder of its Unix socket; null until it ran for the first time. */
  readonly socketPath: string | null
}

/** What the node's supervisor reads: also what the instance is said to be. */
export interface NodeInstanceRow extends ManagedInstanceRow {
  readonly state: InstanceStateColumn
}

/**
 * Asks the supervisor of `nodeId` to run an instance, in the node's lowest free slot. Call it in the transaction that makes
 * the instance: the supervisor hears of both when that commits.
 */
export async function insertManagedInstance(db: Kysely<Schema>, instanceId: InstanceId, nodeId: string): Promise<void> {
  // Two that look for a free slot at once would find the same one.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`managed instance slot ${nodeId}`}, 0))`.execute(db)
  const rows = await db.selectFrom('managed_instance').select('slot').where('node_id', '=', nodeId).execute()
  const taken = new Set(rows.map((row) => row.slot))
  let slot = 1
  while (taken.has(slot)) slot++
  await db
    .insertInto('managed_instance')
    .values({ instance_id: instanceId, node_id: nodeId, slot, desired: 'running', socket_path: null })
    .execute()
  await announce(db, instanceId)
}

/** Says what should become of an instance; its supervisor hears of it when the transaction commits. */
export async function setDesiredState(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  desired: DesiredState,
): Promise<void> {
  await db.updateTable('managed_instance').set({ desired }).where('instance_id', '=', instanceId).execute()
  await announce(db, instanceId)
}

export async function findManagedInstance(
  db: Kysely<Schema>,
  instanceId: InstanceId,
): Promise<ManagedInstanceRow | undefined> {
  const row = await db
    .selectFrom('managed_instance')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .executeTakeFirst()
  return row && managedInstanceFromRow(row)
}

/** Every instance that the node should look after, in the order of their slots. */
export async function listManagedInstances(db: Kysely<Schema>, nodeId: string): Promise<NodeInstanceRow[]> {
  const rows = await db
    .selectFrom('managed_instance')
    .innerJoin('instance', 'instance.id', 'managed_instance.instance_id')
    .selectAll('managed_instance')
    .select('instance.state')
    .where('managed_instance.node_id', '=', nodeId)
    .orderBy('managed_instance.slot')
    .execute()
  return rows.map((row) => ({ ...managedInstanceFromRow(row), state: row.state }))
}

/**
 * Holds the instance's row until the end of the transaction. Whoever changes both the instance and what is desired of it
 * takes this row first.
 */
export async function lockInstance(db: Kysely<Schema>, instanceId: InstanceId): Promise<void> {
  await db.selectFrom('instance').select('id').where('id', '=', instanceId).forUpdate().execute()
}

/** Records where the supervisor has it listen. */
export async function recordManagedSocket(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  socketPath: string,
): Promise<void> {
  await db
    .updateTable('managed_instance')
    .set({ socket_path: socketPath, observed_at: sql`now()` })
    .where('instance_id', '=', instanceId)
    .execute()
}

async function announce(db: Kysely<Schema>, instanceId: InstanceId): Promise<void> {
  await sql`select pg_notify(${MANAGED_CHANNEL}, ${instanceId})`.execute(db)
}

function managedInstanceFromRow(row: Selectable<ManagedInstanceTable>): ManagedInstanceRow {
  return {
    instanceId: row.instance_id,
    nodeId: row.node_id,
    slot: row.slot,
    desired: row.desired,
    socketPath: row.socket_path,
  }
}
