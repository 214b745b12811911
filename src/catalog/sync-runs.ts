import { requireAvailableInstance, requireInstance } from '../access/find-instance.ts'
import { authorize } from '../access/policy.ts'
import type { AuditEntry } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import { cancelSyncRun, findSyncRun, listSyncRuns, type SyncRunRow } from '../store/sync-runs.ts'
import { requestSync } from './request-sync.ts'

export type { SyncRunRow }

interface SyncRunDependencies {
  readonly store: Store
}

/**
 * Asks for the catalogue of an instance to be read now.
 * @param databases undefined: all that the instance is to have
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE
 */
export async function startSync(
  deps: SyncRunDependencies,
  actor: Actor,
  instanceName: string,
  databases: readonly string[] | undefined,
): Promise<SyncRunRow> {
  authorize(actor, 'catalog.sync')
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  const id = await deps.store.db.transaction().execute(async (db) => {
    const runId = await requestSync(db, instance.id, { reason: 'demand', databases, requestedBy: actor.principalId })
    await recordAudit(db, syncAudit(actor, instance, 'catalog.sync', { runId, databases: databases ?? null }))
    return runId
  })
  return requireRun(deps, instance, id)
}

/** A run. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND */
export async function readSyncRun(
  deps: SyncRunDependencies,
  actor: Actor,
  instanceName: string,
  id: string,
): Promise<SyncRunRow> {
  authorize(actor, 'catalog.sync')
  return requireRun(deps, await requireInstance(deps, actor.workspaceId, instanceName), id)
}

/** Runs of an instance, the newest first. */
export async function readSyncRuns(
  deps: SyncRunDependencies,
  actor: Actor,
  instanceName: string,
  page: Parameters<typeof listSyncRuns>[2],
): Promise<SyncRunRow[]> {
  authorize(actor, 'catalog.sync')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  return listSyncRuns(deps.store.db, instance.id, page)
}

/**
 * Asks a run to end: one that waits ends at once, one that is under way after the statement that it is at. What it has read stays
 * in the catalogue.
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND
 */
export async function cancelSync(
  deps: SyncRunDependencies,
  actor: Actor,
  instanceName: string,
  id: string,
): Promise<SyncRunRow> {
  authorize(actor, 'catalog.sync')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  const run = await deps.store.db.transaction().execute(async (db) => {
    await recordAudit(db, syncAudit(actor, instance, 'catalog.sync.cancel', { runId: id }))
    return cancelSyncRun(db, instance.id, id)
  })
  if (run) return run
  throw noSuchRun(instance, id)
}

const POLL_MS = 250

/** A run as it goes on: now, at every change, and when it has ended. Whoever stops listening stops nothing. */
export async function* watchSyncRun(
  deps: SyncRunDependencies,
  run: SyncRunRow,
  signal: AbortSignal,
): AsyncGenerator<SyncRunRow> {
  let latest = run
  let shown = ''
  for (;;) {
    const text = JSON.stringify(latest)
    if (text !== shown) yield latest
    shown = text
    if (latest.finishedAt !== null) return
    await pause(POLL_MS, signal)
    if (signal.aborted) return
    const found = await findSyncRun(deps.store.db, run.instanceId, run.id)
    if (found === undefined) return
    latest = found
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}

async function requireRun(deps: SyncRunDependencies, instance: InstanceRow, id: string): Promise<SyncRunRow> {
  const run = await findSyncRun(deps.store.db, instance.id, id)
  if (run) return run
  throw noSuchRun(instance, id)
}

function noSuchRun(instance: InstanceRow, id: string): PosternError {
  return new PosternError('NOT_FOUND', `Instance '${instance.name}' has no sync run '${id}'`)
}

function syncAudit(actor: Actor, instance: InstanceRow, action: string, detail: AuditEntry['detail']) {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'instance',
    targetId: instance.id,
    targetName: instance.name,
    detail,
  } as const
}
