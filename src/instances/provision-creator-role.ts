import { withAdminSession, type AdminSession, type UpstreamDependencies } from '../access/admin-session.ts'
import { createBoundRole } from '../access/create-bound-role.ts'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import { findPrincipal, type Principal } from '../identity/find-principal.ts'
import { findInstanceById, type InstanceRow } from '../store/instances.ts'
import { listPostgresRoleBindings } from '../store/postgres-role-bindings.ts'

/** Why the creator has no Postgres role; the instance is usable all the same, and one can be bound by hand. */
export type CreatorRoleOutcome = 'bound' | 'done-before' | 'creator-gone' | 'name-unusable'

/**
 * Gives the creator of a managed instance a Postgres role of his own name, with LOGIN CREATEDB CREATEROLE and membership in the
 * administrators' role.
 *
 * The supervisor calls it once the server runs and its admin data source is stored, before it makes the instance AVAILABLE and
 * notes its system identifier: so an instance that is AVAILABLE has its creator's role, and a crash at any point only means
 * that this runs again. An instance that has a system identifier is left alone: a creator who was unbound stays unbound.
 *
 * @throws PosternError INSTANCE_NOT_FOUND | UPSTREAM_*; try again later
 */
export async function provisionCreatorRole(
  deps: UpstreamDependencies,
  instanceId: InstanceId,
): Promise<CreatorRoleOutcome> {
  const instance = await findInstanceById(deps.store.db, instanceId)
  if (instance === undefined) throw new PosternError('INSTANCE_NOT_FOUND', 'the instance was deleted meanwhile')
  if (instance.systemIdentifier !== null) return 'done-before'
  const bindings = await listPostgresRoleBindings(deps.store.db, instanceId)
  if (bindings.some(({ principalId }) => principalId === instance.creatorId)) return 'done-before'
  const creator = await findCreator(deps, instance)
  if (creator === undefined) return 'creator-gone'
  return withAdminSession(deps, instance, (admin) => bindCreator(deps, instance, creator, admin))
}

async function bindCreator(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  creator: Principal,
  admin: AdminSession,
): Promise<CreatorRoleOutcome> {
  const spec = {
    roleName: creator.name,
    attributes: { createDb: true, createRole: true, bypassRls: false },
    administrator: true,
  }
  const audit = {
    workspaceId: instance.workspaceId,
    actorId: creator.id,
    actorName: creator.name,
    requestId: null,
    peer: null,
  }
  try {
    await createBoundRole(deps, instance, admin, creator, spec, audit)
    return 'bound'
  } catch (thrown) {
    const isUnusable =
      thrown instanceof PosternError && (thrown.code === 'INVALID_ARGUMENT' || thrown.code === 'ROLE_TAKEN')
    if (isUnusable) return 'name-unusable'
    throw thrown
  }
}

async function findCreator(deps: UpstreamDependencies, instance: InstanceRow): Promise<Principal | undefined> {
  if (instance.creatorId === null) return undefined
  try {
    const creator = await findPrincipal(deps, instance.workspaceId, { id: instance.creatorId })
    return creator.active ? creator : undefined
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'NOT_FOUND') return undefined
    throw thrown
  }
}
