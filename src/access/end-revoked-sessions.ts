import type { InstanceId, RoleBindingId } from '../base/ids.ts'
import { findInstanceById } from '../store/instances.ts'
import { findRevokedLogins } from '../store/revoked-logins.ts'
import { type UpstreamDependencies, withAdminSession } from './admin-session.ts'
import type { LoginGrant } from './login-grant.ts'

/** A session that is open, and what it was opened by. */
export interface OpenLogin {
  readonly grant: LoginGrant
  /** Process id of its backend at the database; 0 where that gave none. */
  readonly upstreamPid: number
}

/**
 * Of these sessions, those that would not be let in any more, on instances that are to end such.
 * @throws what the store throws
 */
export async function findRevokedSessions<T extends OpenLogin>(
  { store }: Pick<UpstreamDependencies, 'store'>,
  sessions: readonly T[],
): Promise<T[]> {
  if (sessions.length === 0) return []
  const logins = sessions.map((session) => {
    const { principalId, bindingId, instanceId } = session.grant.fields
    return { principalId, bindingId, instanceId, session }
  })
  return (await findRevokedLogins(store.pool, logins)).map(({ session }) => session)
}

/**
 * Has the database end these sessions: its running statements stop, and the client reads why.
 * @throws PosternError UPSTREAM_* | INSTANCE_NOT_AVAILABLE | SECRET_UNREADABLE where the admin data source cannot do it for all
 */
export async function endUpstreamSessions(deps: UpstreamDependencies, sessions: readonly OpenLogin[]): Promise<void> {
  // Those for reading are on another server, where the same process id is another session. The gateway closes them itself.
  const ofAdmin = sessions.filter(({ grant }) => !grant.fields.readOnly)
  const byInstance = Map.groupBy(ofAdmin, ({ grant }) => grant.fields.instanceId)
  await Promise.all([...byInstance].map(([id, those]) => endOnInstance(deps, id, those)))
}

async function endOnInstance(
  deps: UpstreamDependencies,
  instanceId: InstanceId,
  sessions: readonly OpenLogin[],
): Promise<void> {
  const instance = await findInstanceById(deps.store.db, instanceId)
  if (instance === undefined) return
  const byBinding: Map<RoleBindingId, OpenLogin[]> = Map.groupBy(sessions, ({ grant }) => grant.fields.bindingId)
  await withAdminSession(deps, instance, async (admin) => {
    for (const [first, ...others] of byBinding.values()) {
      if (first === undefined) continue
      const { roleName, roleOid } = first.grant.fields
      const pids = [first, ...others].map(({ upstreamPid }) => upstreamPid)
      await admin.session.roles.endSessions(roleName, roleOid, pids)
    }
  })
}
