import { authorizeManagedCreation } from '../access/instance-permissions.ts'
import { authorize } from '../access/policy.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import { newUuid, type InstanceId } from '../base/ids.ts'
import { requestSync } from '../catalog/request-sync.ts'
import type { ConnectionReport } from '../contract/connection-reports.ts'
import type { CreateInstanceInput } from '../contract/instances.ts'
import type { Actor } from '../identity/actor.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { findInstance, insertInstance, type InstanceRow } from '../store/instances.ts'
import { insertManagedInstance } from '../store/managed-instances.ts'
import { draftDataSource, type DataSourceDraft } from './draft-data-source.ts'
import { draftAudit, instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { manageModeOf, settingsChange } from './instance-settings.ts'
import { freeReadOnlyName } from './plan-data-sources.ts'
import { getInstance, type ChangedInstanceView } from './read-instances.ts'
import { storeDraft } from './store-draft.ts'
import type { TestOptions } from './test-connection.ts'
import { checkOf, testDrafts } from './test-drafts.ts'

type ExternalInput = Extract<CreateInstanceInput, { kind: 'external' }>
type ManagedInput = Extract<CreateInstanceInput, { kind: 'managed' }>

interface CreateOptions extends TestOptions {
  /** What the compatible API says of a managed instance besides. */
  readonly managed?: Partial<Pick<InstanceRow, 'nativeLoginEnabled' | 'compatibleSettings'>>
}

/** Database that a managed instance begins with, and the alias for the data source's own database on external ones. */
const MANAGED_DEFAULT_DATABASE = 'databricks_postgres'

/**
 * "Click Test Connection. If the connection is successful, click Create to create this instance." An external instance is
 * tested first, each of its data sources, and refused when a test fails, unless `skipTest` is given; a managed one is asked of
 * the local node and is STARTING until it runs and its creator has a Postgres role there.
 *
 * @throws PosternError PERMISSION_DENIED | INVALID_ARGUMENT | ALREADY_EXISTS | CANCELLED | UPSTREAM_* (what the test found)
 */
export async function createInstance(
  deps: InstanceDependencies,
  actor: Actor,
  input: CreateInstanceInput,
  options: CreateOptions = {},
): Promise<ChangedInstanceView> {
  if (input.kind === 'managed') await authorizeManagedCreation(deps, actor)
  else authorize(actor, 'instance.create')
  await requireFreeName(deps, actor, input.name)
  if (input.kind === 'managed') {
    await createManaged(deps, actor, input, options.managed)
    return getInstance(deps, actor, input.name)
  }
  const connectionTest = await createExternal(deps, actor, input, options)
  return { ...(await getInstance(deps, actor, input.name)), connectionTest }
}

/** The "Test Connection" button: what would be created is tested and nothing is stored. A managed instance has nothing to test. */
export async function validateInstance(
  deps: InstanceDependencies,
  actor: Actor,
  input: CreateInstanceInput,
  options: TestOptions = {},
): Promise<ConnectionReport> {
  authorize(actor, 'instance.create')
  const drafts = input.kind === 'managed' ? [] : await draftAll(deps, actor, newUuid<InstanceId>(), input)
  settingsChange(input.engine, input)
  const manageMode = manageModeOf(input.engine, input.manageMode)
  return (await testDrafts(deps, actor, drafts, { ...options, manageMode })).report
}

async function createExternal(
  deps: InstanceDependencies,
  actor: Actor,
  input: ExternalInput,
  options: TestOptions,
): Promise<ConnectionReport | undefined> {
  const id = newUuid<InstanceId>()
  const { engine, name } = input
  const settings = { ...settingsChange(engine, input), manageMode: manageModeOf(engine, input.manageMode) }
  const drafts = await draftAll(deps, actor, id, input)
  const tests = input.skipTest
    ? undefined
    : await testDrafts(deps, actor, drafts, { ...options, manageMode: settings.manageMode })
  if (tests?.failure !== undefined) throw tests.failure
  const [admin] = drafts
  const found = admin && tests?.upstreamOf.get(admin)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await insertInstance(db, {
        ...ofActor(actor, id, name),
        ...settings,
        kind: 'external',
        engine,
        state: 'AVAILABLE',
        defaultDatabase: admin?.route.database ?? '',
        ...(found && { serverVersion: found.serverVersion, systemIdentifier: found.systemIdentifier }),
      })
      const detail = { kind: 'external', engine, testSkipped: tests === undefined }
      await recordAudit(db, instanceAudit(actor, 'instance.create', { id, name }, detail))
      for (const drafted of drafts) {
        const draft = { ...drafted, source: { ...drafted.source, tested: tests !== undefined } }
        await storeDraft(db, deps.masterKey, draft, checkOf(drafted, tests))
        await recordAudit(db, draftAudit(actor, { name }, draft))
      }
      await requestSync(db, id, { reason: 'creation', requestedBy: actor.principalId })
    }),
  )
  return tests?.report
}

/** The admin data source and then the read-only ones. */
async function draftAll(
  deps: InstanceDependencies,
  actor: Actor,
  instanceId: InstanceId,
  input: ExternalInput,
): Promise<DataSourceDraft[]> {
  const { engine, adminDataSource, readOnlyDataSources = [] } = input
  const base = { engine, instanceId }
  const drafts = [
    await draftDataSource(deps, actor.workspaceId, { ...base, name: 'admin', type: 'admin' }, adminDataSource),
  ]
  for (const { name, ...patch } of readOnlyDataSources) {
    const taken = drafts.map(({ source }) => source.name)
    const freeName = freeReadOnlyName(
      name,
      [...taken, ...readOnlyDataSources.flatMap((other) => other.name ?? [])],
      taken,
    )
    const target = { ...base, name: freeName, type: 'read_only' as const }
    drafts.push(await draftDataSource(deps, actor.workspaceId, target, patch))
  }
  return drafts
}

async function createManaged(
  deps: InstanceDependencies,
  actor: Actor,
  input: ManagedInput,
  also: CreateOptions['managed'],
): Promise<void> {
  const id = newUuid<InstanceId>()
  const settings = settingsChange(input.engine, input)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await insertInstance(db, {
        ...ofActor(actor, id, input.name),
        ...settings,
        ...also,
        kind: 'managed',
        engine: input.engine,
        state: 'STARTING',
        defaultDatabase: MANAGED_DEFAULT_DATABASE,
      })
      await insertManagedInstance(db, id, deps.localNodeId)
      // Read once it is AVAILABLE.
      await requestSync(db, id, { reason: 'creation', requestedBy: actor.principalId })
      await recordAudit(db, instanceAudit(actor, 'instance.create', { id, name: input.name }, { kind: 'managed' }))
    }),
  )
}

function ofActor(actor: Actor, id: InstanceId, name: string) {
  return { id, name, workspaceId: actor.workspaceId, creatorId: actor.principalId }
}

/** The constraint of the store decides; this only says sooner, and better, what stands in the way. */
async function requireFreeName(deps: InstanceDependencies, actor: Actor, name: string): Promise<void> {
  const there = await findInstance(deps.store.db, actor.workspaceId, name)
  if (there === undefined) return
  if (there.state !== 'DELETED') throw new PosternError('ALREADY_EXISTS', 'An instance of this name exists already.')
  throw new PosternError(
    'ALREADY_EXISTS',
    `A deleted instance still has the name '${name}': it is kept until the instance is purged`,
    {
      hint: `Bring it back (postern instance undelete ${name}), or forget it for good (postern instance delete --purge ${name}).`,
    },
  )
}
