import { PosternError } from '../base/errors.ts'
import type { PrincipalReference } from '../contract/postgres-roles.ts'
import type { RoleAttributes } from '../engines/engine.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { findPrincipal, type Principal } from '../identity/find-principal.ts'
import type { InstanceRow } from '../store/instances.ts'
import { findPostgresRoleBinding, type PostgresRoleBindingRow } from '../store/postgres-role-bindings.ts'
import { withAdminSession, type UpstreamDependencies } from './admin-session.ts'
import { createBoundRole } from './create-bound-role.ts'
import { requireAvailableInstance } from './find-instance.ts'
import { requireInstancePermission } from './instance-permissions.ts'
import { requirePostgresRole } from './list-postgres-roles.ts'
import { authorize } from './policy.ts'
import { checkPostgresRoleName } from './postgres-role-name.ts'

/** Which Postgres role is to be made for whom. */
export interface NewPostgresRole {
  readonly principal: PrincipalReference
  /** Absent: the e-mail, client id or group name. */
  readonly roleName?: string | undefined
  readonly attributes: RoleAttributes
  readonly administrator: boolean
}

/**
 * Gives a principal a Postgres role of its own on an instance. The role is made for it; one that exists already is never taken
 * over, whoever asks. CAN_USE on the instance is enough for a plain one for oneself, under one's own name; all else takes
 * CAN_MANAGE.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE | NOT_FOUND | PRINCIPAL_INACTIVE |
 *   INVALID_ARGUMENT (name over 63 bytes, reserved) | ROLE_TAKEN | ALREADY_EXISTS | UPSTREAM_*
 * @see design section 5b
 */
export async function bindPostgresRole(
  deps: UpstreamDependencies,
  actor: Actor,
  instanceName: string,
  input: NewPostgresRole,
): Promise<PostgresRoleBindingRow> {
  authorize(actor, 'postgresRole.bind')
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  const principal = await findPrincipal(deps, actor.workspaceId, input.principal)
  await requireRightToBind(deps, actor, instance, principal, input)
  if (!principal.active) throw new PosternError('PRINCIPAL_INACTIVE', `'${principal.name}' is deactivated`)
  const roleName = input.roleName ?? principal.name
  checkPostgresRoleName(roleName)
  const bound = await findPostgresRoleBinding(deps.store.db, instance.id, roleName)
  if (bound !== undefined) {
    throw new PosternError(
      'ALREADY_EXISTS',
      `Postgres role '${roleName}' on '${instanceName}' is bound to '${bound.principalName}' already`,
    )
  }
  const { attributes, administrator } = input
  await withAdminSession(deps, instance, (admin) =>
    createBoundRole(deps, instance, admin, principal, { roleName, attributes, administrator }, actorAudit(actor)),
  )
  return requirePostgresRole(deps, instance, roleName)
}

/** With attributes or under another's name, a role for oneself would be a step up, or stand in that one's way. */
function requireRightToBind(
  deps: UpstreamDependencies,
  actor: Actor,
  instance: InstanceRow,
  principal: Principal,
  { roleName, attributes, administrator }: NewPostgresRole,
): Promise<void> {
  const isPlain = !administrator && !attributes.createDb && !attributes.createRole && !attributes.bypassRls
  const isForOneself = principal.id === actor.principalId && (roleName ?? principal.name) === principal.name
  return requireInstancePermission(deps, actor, instance, isPlain && isForOneself ? 'use' : 'manage')
}
