import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { InstanceRow } from '../store/instances.ts'
import { deletePostgresRoleBinding, type PostgresRoleBindingRow } from '../store/postgres-role-bindings.ts'
import { withAdminSession, type AdminSession, type UpstreamDependencies } from './admin-session.ts'
import { requireInstance } from './find-instance.ts'
import { requireInstancePermission } from './instance-permissions.ts'
import { requirePostgresRole } from './list-postgres-roles.ts'
import { authorize } from './policy.ts'

/** What became of the role on the instance: dropped; gone before; left, being another role by now or on request. */
export type UpstreamOutcome = 'dropped' | 'absent' | 'left'

export interface UnbindOptions {
  /** Postgres role that gets what the role owns. Absent: a role that owns something is not dropped. */
  readonly reassignOwnedTo?: string | undefined
  /**
   * Remove the binding alone, for an instance that does not answer. The role stays, and its name cannot be bound again; a
   * managed instance that answers refuses it, because nobody but Postern could ever remove that role.
   */
  readonly keepUpstreamRole: boolean
}

/**
 * Ends a binding and drops its Postgres role, with the sessions that it has. The role goes first: a crash in between leaves a
 * binding without a role, which a second unbind removes; the other way round would leave a role that nobody may bind again.
 * So the audit record is written before both.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND | IN_USE (the role owns objects) |
 *   INVALID_ARGUMENT (a managed instance that answers would keep the role) | UPSTREAM_*
 */
export async function unbindPostgresRole(
  deps: UpstreamDependencies,
  actor: Actor,
  instanceName: string,
  roleName: string,
  options: UnbindOptions,
): Promise<UpstreamOutcome> {
  authorize(actor, 'postgresRole.unbind')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  const binding = await requirePostgresRole(deps, instance, roleName)
  if (options.keepUpstreamRole && instance.kind === 'managed') await requireNoAnswer(deps, instance)
  const entry = {
    ...actorAudit(actor),
    action: 'postgresRole.unbind',
    targetType: 'postgres_role',
    targetId: binding.id,
    targetName: roleName,
    detail: {
      instance: instanceName,
      principalId: binding.principalId,
      roleOid: binding.roleOid,
      keepUpstreamRole: options.keepUpstreamRole,
    },
  } as const
  await recordAudit(deps.store.db, { ...entry, outcome: 'allowed' })
  try {
    const outcome = options.keepUpstreamRole
      ? 'left'
      : await withAdminSession(deps, instance, (admin) => dropBoundRole(admin, binding, options.reassignOwnedTo))
    await deletePostgresRoleBinding(deps.store.db, binding.id)
    return outcome
  } catch (thrown) {
    await recordAudit(deps.store.db, { ...entry, outcome: 'failed', reason: asPosternError(thrown).code })
    throw thrown
  }
}

async function requireNoAnswer(deps: UpstreamDependencies, instance: InstanceRow): Promise<void> {
  const answers = await withAdminSession(deps, instance, async () => true).catch((thrown: unknown) => {
    // Away, or another cluster than before: nothing of ours can be dropped there.
    if (asPosternError(thrown).code === 'INTERNAL') throw thrown
    return false
  })
  if (!answers) return
  throw new PosternError(
    'INVALID_ARGUMENT',
    `Managed instance '${instance.name}' answers: a Postgres role that is kept there could be neither bound nor dropped again`,
    { hint: 'Unbind without keepUpstreamRole, which drops the role; reassignOwnedTo hands over what it owns.' },
  )
}

/** Drops the role of a binding if it still is the one that was bound; any other of its name is not ours to drop. */
export async function dropBoundRole(
  admin: AdminSession,
  binding: PostgresRoleBindingRow,
  reassignOwnedTo: string | undefined,
): Promise<UpstreamOutcome> {
  const found = await admin.session.roles.find(binding.roleName)
  if (found === undefined) return 'absent'
  if (found.oid !== binding.roleOid || admin.systemIdentifier !== binding.systemIdentifier) return 'left'
  await admin.session.roles.drop(binding.roleName, found, reassignOwnedTo)
  return 'dropped'
}
