import type { Kysely } from 'kysely'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { isInstanceMaker, readGrantedLevel } from '../store/instance-permissions.ts'
import { findInstance, type InstanceRow } from '../store/instances.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { type Action, authorize, mayDo } from './policy.ts'

/** What somebody may do with one instance. Each level holds the ones before it. */
export type InstancePermission = 'none' | 'use' | 'manage'

const RANK: Readonly<Record<InstancePermission, number>> = { none: 0, use: 1, manage: 2 }

/** The levels as people and the compatible API call them. */
export const LEVEL_NAME = { use: 'CAN_USE', manage: 'CAN_MANAGE' } as const

/**
 * What the actor may do with an instance of its workspace. Workspace Admins and DBAs and the instance's creator manage it; others
 * hold what was granted to them or to an active group that they are in at any depth. An instance of another workspace is none of
 * theirs, whatever their role.
 */
export async function readInstancePermission(
  db: Kysely<Schema>,
  actor: Actor,
  instanceId: InstanceId,
): Promise<InstancePermission> {
  if (actor.workspaceRole !== 'member') {
    const there = await db
      .selectFrom('instance')
      .select('id')
      .where('id', '=', instanceId)
      .where('workspace_id', '=', actor.workspaceId)
      .executeTakeFirst()
    return there === undefined ? 'none' : 'manage'
  }
  return (await readGrantedLevel(db, actor.workspaceId, actor.principalId, instanceId)) ?? 'none'
}

/**
 * Stops an actor who lacks `level` on the instance. It decides about this instance alone: whether a use-case is open to
 * managers of an instance at all is the use-case's to say.
 * @throws PosternError PERMISSION_DENIED naming the level that is needed
 */
export async function requireInstancePermission(
  deps: { readonly store: Store },
  actor: Actor,
  instance: Pick<InstanceRow, 'id' | 'name'>,
  level: 'use' | 'manage',
): Promise<void> {
  const held = await readInstancePermission(deps.store.db, actor, instance.id)
  if (RANK[held] >= RANK[level]) return
  const has = held === 'none' ? 'has no permission there' : `has ${LEVEL_NAME[held]} alone`
  throw new PosternError(
    'PERMISSION_DENIED',
    `This needs ${LEVEL_NAME[level]} on database instance '${instance.name}'; ${actor.name} ${has}`,
    {
      hint: `Ask a Workspace Admin or DBA, or whoever manages '${instance.name}', to grant it (postern permission grant).`,
      detail: { instance: instance.name, needed: LEVEL_NAME[level] },
    },
  )
}

/** What CAN_MANAGE on a managed instance is enough for. */
type ManagersAction = Extract<Action, 'instance.update' | 'instance.start' | 'instance.stop' | 'instance.delete'>

/**
 * Stops an actor whose workspace role does not allow `action`, unless it manages that instance and Postern runs it. Where an
 * external database is reached and with which secrets stays with Workspace Admins and DBAs.
 * @throws PosternError PERMISSION_DENIED naming the workspace roles, or the level, that may
 */
export async function authorizeOnInstance(
  deps: { readonly store: Store },
  actor: Actor,
  action: ManagersAction,
  name: string,
): Promise<void> {
  if (mayDo(actor, action)) return
  const instance = await findInstance(deps.store.db, actor.workspaceId, name)
  if (instance?.kind === 'managed') await requireInstancePermission(deps, actor, instance, 'manage')
  else authorize(actor, action)
}

/**
 * Stops an actor who may not make a managed instance: by its workspace role, or because it was named, itself or a group, as one
 * who may.
 * @throws PosternError PERMISSION_DENIED naming the workspace roles that may
 */
export async function authorizeManagedCreation(deps: { readonly store: Store }, actor: Actor): Promise<void> {
  if (mayDo(actor, 'instance.create')) return
  if (await isInstanceMaker(deps.store.db, actor.workspaceId, actor.principalId)) return
  authorize(actor, 'instance.create')
}
