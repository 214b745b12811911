import { authorize } from '../access/policy.ts'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { listDataSources } from '../store/data-sources.ts'
import { findInstance, findInstanceById, type InstanceRow } from '../store/instances.ts'
import { listInstances } from '../store/list-instances.ts'
import type { Store } from '../store/store.ts'

/** A Postgres instance as the compatible API shows it: to everybody alike, without its data sources. */
export interface DatabaseInstanceView extends InstanceRow {
  /** What the last check of its admin data source found; null: never checked, or a managed instance. */
  readonly answers: boolean | null
}

/**
 * The Postgres instance of that name. One that was deleted, and one of another engine, is not there for the compatible API.
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND
 */
export async function getDatabaseInstance(
  deps: { readonly store: Store },
  actor: Actor,
  name: string,
): Promise<DatabaseInstanceView> {
  authorize(actor, 'instance.read')
  const row = await findInstance(deps.store.db, actor.workspaceId, name)
  if (row === undefined || !isVisible(row))
    throw notFound(`Database instance '${name}' does not exist in this workspace`)
  return withAnswer(deps, row)
}

/** The one with this immutable id. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function findDatabaseInstanceByUid(
  deps: { readonly store: Store },
  actor: Actor,
  uid: string,
): Promise<DatabaseInstanceView> {
  authorize(actor, 'instance.read')
  const row = isUuid(uid) ? await findInstanceById(deps.store.db, uid as InstanceId) : undefined
  if (row === undefined || row.workspaceId !== actor.workspaceId || !isVisible(row)) {
    throw notFound(`No database instance has the uid '${uid}' in this workspace`)
  }
  return withAnswer(deps, row)
}

/** Postgres instances of the workspace in the order of their names, at most `limit`, those after the name `after`. */
export async function listDatabaseInstances(
  deps: { readonly store: Store },
  actor: Actor,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<DatabaseInstanceView[]> {
  authorize(actor, 'instance.read')
  const after = page.after === undefined ? undefined : { value: page.after, name: page.after }
  const rows = await listInstances(
    deps.store.db,
    actor.workspaceId,
    { engine: 'postgres' },
    { limit: page.limit, orderBy: 'name', after },
  )
  const answers = await readAnswers(deps, rows)
  return rows.map((row) => ({ ...row, answers: answers.get(row.id) ?? null }))
}

function isVisible(row: InstanceRow): boolean {
  return row.engine === 'postgres' && row.state !== 'DELETED'
}

async function withAnswer(deps: { readonly store: Store }, row: InstanceRow): Promise<DatabaseInstanceView> {
  return { ...row, answers: (await readAnswers(deps, [row])).get(row.id) ?? null }
}

async function readAnswers(
  deps: { readonly store: Store },
  rows: readonly InstanceRow[],
): Promise<Map<InstanceId, boolean>> {
  const external = rows.filter(({ kind }) => kind === 'external').map(({ id }) => id)
  if (external.length === 0) return new Map()
  const sources = await listDataSources(deps.store.db, external)
  return new Map(
    sources.flatMap(({ type, instanceId, lastCheck }) =>
      type === 'admin' && lastCheck !== null ? [[instanceId, lastCheck.ok] as const] : [],
    ),
  )
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

function notFound(message: string): PosternError {
  return new PosternError('INSTANCE_NOT_FOUND', message)
}
