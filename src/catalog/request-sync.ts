import type { Kysely } from 'kysely'
import type { InstanceId, PrincipalId } from '../base/ids.ts'
import type { Schema } from '../store/schema.ts'
import { queueSyncRun, type SyncReason } from '../store/sync-runs.ts'

/** Why the catalogue is to be read, and of what. */
export interface SyncWish {
  readonly reason: SyncReason
  /** Names of databases; absent: all that the instance is to have (`sync_databases`, else every one). */
  readonly databases?: readonly string[] | undefined
  readonly requestedBy?: PrincipalId | undefined
}

/**
 * Asks for the catalogue of an instance to be read; some node does it soon. Pass the transaction of the change that it belongs
 * to: neither happens without the other. An instance that is asked for twice before its reading began is read once.
 *
 * @returns the id of the run
 */
export async function requestSync(
  db: Kysely<Schema>,
  instanceId: InstanceId,
  wish: SyncWish = { reason: 'creation' },
): Promise<string> {
  return queueSyncRun(db, instanceId, {
    reason: wish.reason,
    databases: wish.databases ?? null,
    requestedBy: wish.requestedBy ?? null,
  })
}
