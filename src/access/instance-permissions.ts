import type { Kysely } from 'kysely'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { readGrantedLevel } from '../store/instance-permissions.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Schema } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

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
