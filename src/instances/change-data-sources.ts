import { authorize } from '../access/policy.ts'
import { requireInstance } from '../access/find-instance.ts'
import { PosternError } from '../base/errors.ts'
import type { ConnectionReport } from '../contract/connection-reports.ts'
import type { AddDataSourceInput, UpdateDataSourceInput } from '../contract/data-sources.ts'
import type { Actor } from '../identity/actor.ts'
import { listDataSources as listDataSourceRows, type DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import { maskDataSourceUpdate } from './apply-mask.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { freeReadOnlyName, NO_PLAN, type DataSourcePlan } from './plan-data-sources.ts'
import type { ChangedInstanceView } from './read-instances.ts'
import { testDrafts } from './test-drafts.ts'
import {
  changeDataSources,
  draftPlan,
  knownOf,
  requireChangeable,
  requireDataSources,
  type InstanceUpdate,
  type UpdateOptions,
} from './update-instance.ts'

/** Adds a read-only data source: "Click + to add more". @throws PosternError as updateInstance, ALREADY_EXISTS */
export async function addDataSource(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  input: AddDataSourceInput,
  options: UpdateOptions = {},
): Promise<ChangedInstanceView> {
  authorize(actor, 'dataSource.create')
  return changeDataSources(deps, actor, await planAddition(deps, actor, instanceName, input), options)
}

/** Tests what {@link addDataSource} would add, and stores nothing. */
export async function validateAddition(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  input: AddDataSourceInput,
  options: UpdateOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'dataSource.create')
  return report(deps, actor, await planAddition(deps, actor, instanceName, input), options)
}

/** Changes one data source, by its name or id. @throws PosternError as updateInstance, NOT_FOUND */
export async function updateDataSource(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  nameOrId: string,
  input: UpdateDataSourceInput,
  options: UpdateOptions = {},
): Promise<ChangedInstanceView> {
  authorize(actor, 'dataSource.update')
  const update = await planEdit(deps, actor, instanceName, nameOrId, input, options)
  return changeDataSources(deps, actor, update, options)
}

/** Tests what {@link updateDataSource} would make of it, and stores nothing. */
export async function validateDataSourceUpdate(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  nameOrId: string,
  input: UpdateDataSourceInput,
  options: UpdateOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'dataSource.update')
  return report(deps, actor, await planEdit(deps, actor, instanceName, nameOrId, input, options), options)
}

/** Removes a read-only data source with its secrets; the admin one stays as long as its instance. */
export async function removeDataSource(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  nameOrId: string,
  etag: string | undefined,
): Promise<ChangedInstanceView> {
  authorize(actor, 'dataSource.delete')
  const instance = await requireChangeable(deps, actor, instanceName, etag)
  const source = pick(await requireDataSources(deps, instance), instance, nameOrId)
  if (source.type === 'admin') {
    throw new PosternError('INVALID_ARGUMENT', 'The admin data source cannot be removed: an instance has exactly one', {
      hint: 'Change it, or delete the instance.',
    })
  }
  const update = { instance, change: {}, drafts: [], remove: [source], skipTest: false }
  return changeDataSources(deps, actor, update, {})
}

/** Data sources of an instance, admin first; none for a managed one. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function listDataSources(
  deps: Pick<InstanceDependencies, 'store'>,
  actor: Actor,
  instanceName: string,
): Promise<readonly DataSourceRow[]> {
  authorize(actor, 'dataSource.read')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  return instance.kind === 'managed' ? [] : listDataSourceRows(deps.store.db, [instance.id])
}

async function planAddition(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  { etag, skipTest, name, ...patch }: AddDataSourceInput,
): Promise<InstanceUpdate> {
  const instance = await requireChangeable(deps, actor, instanceName, etag)
  const taken = (await requireDataSources(deps, instance)).map((source) => source.name)
  const plan: DataSourcePlan = { ...NO_PLAN, add: [{ name: freeReadOnlyName(name, taken, taken), patch }] }
  return updateOf(instance, await draftPlan(deps, actor, instance, plan), skipTest)
}

async function planEdit(
  deps: InstanceDependencies,
  actor: Actor,
  instanceName: string,
  nameOrId: string,
  { etag, skipTest, ...body }: UpdateDataSourceInput,
  { updateMask }: UpdateOptions,
): Promise<InstanceUpdate> {
  const patch = maskDataSourceUpdate(body, updateMask)
  const instance = await requireChangeable(deps, actor, instanceName, etag)
  const source = pick(await requireDataSources(deps, instance), instance, nameOrId)
  const plan: DataSourcePlan = { ...NO_PLAN, edit: [{ source, patch }] }
  return updateOf(instance, await draftPlan(deps, actor, instance, plan), skipTest)
}

function updateOf(instance: InstanceRow, drafts: InstanceUpdate['drafts'], skipTest = false): InstanceUpdate {
  return { instance, change: {}, drafts, remove: [], skipTest }
}

async function report(
  deps: InstanceDependencies,
  actor: Actor,
  update: InstanceUpdate,
  options: UpdateOptions,
): Promise<ConnectionReport> {
  return (await testDrafts(deps, actor, update.drafts, { ...options, ...knownOf(update) })).report
}

/** The data source of that name or id. @throws PosternError NOT_FOUND */
export function pick(
  sources: readonly DataSourceRow[],
  instance: Pick<InstanceRow, 'name'>,
  nameOrId: string,
): DataSourceRow {
  const source = sources.find(({ id, name }) => name === nameOrId || id === nameOrId.toLowerCase())
  if (source !== undefined) return source
  const known = sources.map(({ name }) => name).join(', ')
  throw new PosternError('NOT_FOUND', `Instance '${instance.name}' has no data source '${nameOrId}'`, {
    hint: `It has ${known}.`,
  })
}
