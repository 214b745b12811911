import { requireInstance } from '../access/find-instance.ts'
import { authorize, mayDo } from '../access/policy.ts'
import type { InstanceId } from '../base/ids.ts'
import type { ConnectionReport } from '../contract/connection-reports.ts'
import type { Actor } from '../identity/actor.ts'
import { listDataSources, type DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import {
  listInstances as listInstanceRows,
  type InstanceFilter,
  type InstancePage,
  type ListedInstance,
} from '../store/list-instances.ts'
import type { Store } from '../store/store.ts'

/** An instance as its readers see it: data sources only for those who may read them, and none for managed instances. */
export interface InstanceView extends InstanceRow {
  readonly dataSources: readonly DataSourceRow[]
}

/** An instance after a change, with the test that the change passed; absent where nothing had to be tested. */
export interface ChangedInstanceView extends InstanceView {
  readonly connectionTest?: ConnectionReport | undefined
}

/** One instance, also a deleted one. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function getInstance(deps: { readonly store: Store }, actor: Actor, name: string): Promise<InstanceView> {
  authorize(actor, 'instance.read')
  const instance = await requireInstance(deps, actor.workspaceId, name)
  const [view] = await withDataSources(deps, actor, [instance])
  return view ?? { ...instance, dataSources: [] }
}

/** Instances of the workspace, filtered and in the wanted order, a page of them. Who may not read data sources finds no hosts. */
export async function listInstances(
  deps: { readonly store: Store },
  actor: Actor,
  filter: InstanceFilter,
  page: InstancePage,
): Promise<(InstanceView & Pick<ListedInstance, 'position'>)[]> {
  authorize(actor, 'instance.read')
  const rows = await listInstanceRows(
    deps.store.db,
    actor.workspaceId,
    { ...filter, searchHosts: mayDo(actor, 'dataSource.read') },
    page,
  )
  return withDataSources(deps, actor, rows)
}

async function withDataSources<Row extends InstanceRow>(
  deps: { readonly store: Store },
  actor: Actor,
  instances: readonly Row[],
): Promise<(Row & InstanceView)[]> {
  const readable = mayDo(actor, 'dataSource.read') ? instances.filter(({ kind }) => kind === 'external') : []
  const sources = await listDataSources(
    deps.store.db,
    readable.map(({ id }) => id),
  )
  const byInstance = Map.groupBy<InstanceId, DataSourceRow>(sources, ({ instanceId }) => instanceId)
  return instances.map((instance) => ({ ...instance, dataSources: byInstance.get(instance.id) ?? [] }))
}
