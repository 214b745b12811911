import { requireInstance } from '../access/find-instance.ts'
import { authorize, mayDo } from '../access/policy.ts'
import type { InstanceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { listDataSources, type DataSourceRow } from '../store/data-sources.ts'
import { listInstances as listInstanceRows, type InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'

/** An instance as its readers see it: data sources only for those who may read them, and none for managed instances. */
export interface InstanceView extends InstanceRow {
  readonly dataSources: readonly DataSourceRow[]
}

/** One instance. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function getInstance(deps: { readonly store: Store }, actor: Actor, name: string): Promise<InstanceView> {
  authorize(actor, 'instance.read')
  const instance = await requireInstance(deps, actor.workspaceId, name)
  const [view] = await withDataSources(deps, actor, [instance])
  return view ?? { ...instance, dataSources: [] }
}

/** Instances of the workspace in the order of their names, at most `limit`, those after the name `after`. */
export async function listInstances(
  deps: { readonly store: Store },
  actor: Actor,
  page: { readonly limit: number; readonly after?: string | undefined; readonly nameContains?: string | undefined },
): Promise<InstanceView[]> {
  authorize(actor, 'instance.read')
  const rows = await listInstanceRows(deps.store.db, actor.workspaceId, page)
  return withDataSources(deps, actor, rows)
}

async function withDataSources(
  deps: { readonly store: Store },
  actor: Actor,
  instances: readonly InstanceRow[],
): Promise<InstanceView[]> {
  const readable = mayDo(actor, 'dataSource.read') ? instances.filter(({ kind }) => kind === 'external') : []
  const sources = await listDataSources(
    deps.store.db,
    readable.map(({ id }) => id),
  )
  const byInstance = Map.groupBy<InstanceId, DataSourceRow>(sources, ({ instanceId }) => instanceId)
  return instances.map((instance) => ({ ...instance, dataSources: byInstance.get(instance.id) ?? [] }))
}
