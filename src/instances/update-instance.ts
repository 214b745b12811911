import type { Kysely } from 'kysely'
import { requireInstance } from '../access/find-instance.ts'
import { moveLoginKeys } from '../access/move-login-keys.ts'
import { authorizeOnInstance } from '../access/instance-permissions.ts'
import { authorize } from '../access/policy.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import { requestSync } from '../catalog/request-sync.ts'
import type { ConnectionReport } from '../contract/connection-reports.ts'
import { ENGINE_CAPABILITIES } from '../contract/engines.ts'
import type { UpdateInstanceInput } from '../contract/instances.ts'
import type { Actor } from '../identity/actor.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { deleteDataSource, listDataSources, type DataSourceCheck, type DataSourceRow } from '../store/data-sources.ts'
import { changeInstance, findInstance, type InstanceChange, type InstanceRow } from '../store/instances.ts'
import type { Schema } from '../store/schema.ts'
import { maskInstanceUpdate } from './apply-mask.ts'
import { draftDataSource, type DataSourceDraft } from './draft-data-source.ts'
import { dataSourceAudit, draftAudit, instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { settingsChange } from './instance-settings.ts'
import { NO_PLAN, planReadOnly, type DataSourcePlan } from './plan-data-sources.ts'
import { getInstance, type ChangedInstanceView } from './read-instances.ts'
import { storeDraft } from './store-draft.ts'
import type { TestedUpstream, TestOptions } from './test-connection.ts'
import { checkOf, testDrafts } from './test-drafts.ts'

export interface UpdateOptions extends TestOptions {
  /** Names of fields, separated by commas; absent: every field of the input. */
  readonly updateMask?: string | undefined
  /** Inputs of the compatible API, all of them. */
  readonly compatibleSettings?: InstanceRow['compatibleSettings'] | undefined
}

/**
 * Changes an instance and any of its data sources, all of it or nothing. A data source that leads elsewhere than before, or
 * with weaker TLS, needs its secrets again: the stored ones are never sent there, not even to test it. Every data source that
 * the change touches is tested before anything is stored, unless `skipTest` is given.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE (deleted) | ETAG_MISMATCH |
 *   SECRET_REQUIRED | INVALID_ARGUMENT | CANCELLED | UPSTREAM_*
 */
export async function updateInstance(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  input: UpdateInstanceInput,
  options: UpdateOptions = {},
): Promise<ChangedInstanceView> {
  await authorizeOnInstance(deps, actor, 'instance.update', name)
  return changeDataSources(deps, actor, await planUpdate(deps, actor, name, input, options), options)
}

/** Tests what a change of an instance would make of its data sources, and stores nothing. */
export async function validateUpdate(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  input: UpdateInstanceInput,
  options: UpdateOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'instance.update')
  const update = await planUpdate(deps, actor, name, input, options)
  return (await testDrafts(deps, actor, update.drafts, { ...options, ...knownOf(update) })).report
}

/** What is known of the instance that a test of its data sources looks at. */
export function knownOf({ instance, change }: InstanceUpdate) {
  const manageMode = change.manageMode === undefined ? instance.manageMode : change.manageMode
  return { manageMode, cluster: instance.systemIdentifier }
}

/** A change of an instance, complete and checked. */
export interface InstanceUpdate {
  readonly instance: InstanceRow
  readonly change: InstanceChange
  readonly drafts: readonly DataSourceDraft[]
  readonly remove: readonly DataSourceRow[]
  readonly skipTest: boolean
}

async function planUpdate(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  body: UpdateInstanceInput,
  { updateMask, compatibleSettings }: UpdateOptions,
): Promise<InstanceUpdate> {
  const input = maskInstanceUpdate(body, updateMask)
  // Which roles a password opens in spite of what they are is for administrators to say; a mask alone changes it too.
  if (input.nativeLoginRoles !== undefined) authorize(actor, 'instance.update')
  const instance = await requireChangeable(deps, actor, name, input.etag)
  const { adminDataSource, readOnlyDataSources } = input
  const touchesSources = adminDataSource !== undefined || readOnlyDataSources !== undefined
  const sources = touchesSources ? await requireDataSources(deps, instance) : []
  const readOnly = readOnlyDataSources === undefined ? NO_PLAN : planReadOnly(sources, readOnlyDataSources)
  const admin = sources.filter(({ type }) => type === 'admin' && adminDataSource !== undefined)
  const plan = {
    ...readOnly,
    edit: [...admin.map((source) => ({ source, patch: adminDataSource ?? {} })), ...readOnly.edit],
  }
  return {
    instance,
    change: { ...settingsChange(instance.engine, input), ...(compatibleSettings && { compatibleSettings }) },
    drafts: await draftPlan(deps, actor, instance, plan),
    remove: plan.remove,
    skipTest: input.skipTest ?? false,
  }
}

/**
 * The instance, if it may be changed and is still as the caller knows it.
 * @throws PosternError INSTANCE_NOT_FOUND | ETAG_MISMATCH | INSTANCE_NOT_AVAILABLE
 */
export async function requireChangeable(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  etag: string | undefined,
): Promise<InstanceRow> {
  const instance = await requireInstance(deps, actor.workspaceId, name)
  if (etag !== undefined && etag !== instance.version) throw changedMeanwhile(name)
  if (instance.state === 'DELETING' || instance.state === 'DELETED') {
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${name}' is ${instance.state}`)
  }
  return instance
}

/** Data sources that may be changed by hand. @throws PosternError INVALID_ARGUMENT for a managed instance */
export async function requireDataSources(
  deps: InstanceDependencies,
  instance: InstanceRow,
): Promise<readonly DataSourceRow[]> {
  if (instance.kind === 'external') return listDataSources(deps.store.db, [instance.id])
  throw new PosternError('INVALID_ARGUMENT', 'The data source of a managed instance is not changed by hand')
}

/** Drafts of all that a plan adds and changes. */
export async function draftPlan(
  deps: InstanceDependencies,
  actor: Actor,
  instance: InstanceRow,
  plan: DataSourcePlan,
): Promise<DataSourceDraft[]> {
  const drafts: DataSourceDraft[] = []
  for (const { source, patch } of plan.edit) {
    drafts.push(await draftDataSource(deps, actor.workspaceId, { before: source }, patch))
  }
  for (const { name, patch } of plan.add) {
    const base = { engine: instance.engine, instanceId: instance.id, name, type: 'read_only' } as const
    drafts.push(await draftDataSource(deps, actor.workspaceId, base, patch))
  }
  return drafts
}

/** Tests what a change touches and stores all of it in one transaction, with its audit records. */
export async function changeDataSources(
  deps: InstanceDependencies,
  actor: Actor,
  update: InstanceUpdate,
  options: TestOptions,
): Promise<ChangedInstanceView> {
  const { instance, skipTest } = update
  const touched = update.drafts.filter(({ needsTest }) => needsTest)
  const tests = skipTest ? undefined : await testDrafts(deps, actor, touched, { ...options, ...knownOf(update) })
  if (tests?.failure !== undefined) throw tests.failure
  const drafts = update.drafts.map((draft) => ({
    ...draft,
    check: checkOf(draft, tests),
    source: { ...draft.source, tested: draft.needsTest ? !skipTest : draft.source.tested },
  }))
  const admin = update.drafts.find(({ source }) => source.type === 'admin')
  const found = admin && tests?.upstreamOf.get(admin)
  const isOtherCluster = requireVouchedCluster(instance, admin, found)
  const change = { ...update.change, ...adminChange(admin, found) }
  const store = (alsoStore?: (db: Kysely<Schema>) => Promise<void>) =>
    storeUpdate(deps, actor, { ...update, change, drafts }, isOtherCluster, alsoStore)
  const hasRoleLogins = ENGINE_CAPABILITIES[instance.engine].gateway
  if (!hasRoleLogins || !admin?.hasMoved || isOtherCluster || !found?.systemIdentifier) await store()
  else {
    const { systemIdentifier } = found
    await moveLoginKeys(deps, instance, { route: admin.route, secrets: admin.secrets, systemIdentifier }, store)
  }
  const connectionTest = touched.length === 0 ? undefined : tests?.report
  return { ...(await getInstance(deps, actor, instance.name)), connectionTest }
}

/**
 * Whether the admin data source leads to another cluster now.
 * @throws PosternError SECRET_REQUIRED unless a secret came with the change
 */
function requireVouchedCluster(
  instance: InstanceRow,
  admin: DataSourceDraft | undefined,
  found: TestedUpstream | undefined,
): boolean {
  if (!found?.systemIdentifier || instance.systemIdentifier === null) return false
  if (found.systemIdentifier === instance.systemIdentifier) return false
  // Only a person who enters a secret again vouches for another cluster at the same address.
  if (admin !== undefined && admin.entered.length > 0) return true
  throw new PosternError(
    'SECRET_REQUIRED',
    'Another database cluster answers there than before; enter the password again to accept it',
  )
}

function adminChange(admin: DataSourceDraft | undefined, found: TestedUpstream | undefined): InstanceChange {
  return {
    ...(admin && { defaultDatabase: admin.route.database }),
    ...(found && { serverVersion: found.serverVersion }),
    ...(found?.systemIdentifier && { systemIdentifier: found.systemIdentifier }),
  }
}

/** A draft with what is known of its health. */
type CheckedDraft = DataSourceDraft & { readonly check: DataSourceCheck | null }

async function storeUpdate(
  deps: InstanceDependencies,
  actor: Actor,
  update: InstanceUpdate & { readonly drafts: readonly CheckedDraft[] },
  otherCluster: boolean,
  alsoStore?: (db: Kysely<Schema>) => Promise<void>,
): Promise<void> {
  const { instance, change, drafts, remove, skipTest } = update
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      const current = await findInstance(db, instance.workspaceId, instance.name, { forUpdate: true })
      if (current?.version !== instance.version) throw changedMeanwhile(instance.name)
      await changeInstance(db, instance.id, change)
      for (const source of remove) {
        await deleteDataSource(db, source.id)
        await recordAudit(db, dataSourceAudit(actor, 'dataSource.delete', instance, source))
      }
      for (const draft of drafts) {
        await storeDraft(db, deps.masterKey, draft, draft.check)
        await recordAudit(db, draftAudit(actor, instance, draft))
      }
      await alsoStore?.(db)
      if (change.manageMode !== undefined && change.manageMode !== instance.manageMode) {
        await requestSync(db, instance.id, { reason: 'manage_mode', requestedBy: actor.principalId })
      }
      const detail = { fields: Object.keys(change), testSkipped: skipTest, otherCluster }
      await recordAudit(db, instanceAudit(actor, 'instance.update', instance, detail))
    }),
  )
}

function changedMeanwhile(name: string): PosternError {
  return new PosternError('ETAG_MISMATCH', `Instance '${name}' was changed meanwhile`)
}
