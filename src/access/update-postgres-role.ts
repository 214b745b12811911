import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { RoleAttributes } from '../engines/engine.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { updatePostgresRoleBinding, type PostgresRoleBindingRow } from '../store/postgres-role-bindings.ts'
import { withAdminSession, type UpstreamDependencies } from './admin-session.ts'
import { ADMINISTRATORS } from './create-bound-role.ts'
import { requireAvailableInstance } from './find-instance.ts'
import { requireInstancePermission } from './instance-permissions.ts'
import { requirePostgresRole } from './list-postgres-roles.ts'
import { authorize } from './policy.ts'
import { requireSameRole } from './require-same-role.ts'

/**
 * Changes the attributes of a bound Postgres role, and its membership in the administrators' role. What the change does not name
 * stays as it was bound; whose role it is and what it is called never change.
 *
 * The upstream transaction stays open until the store has committed, as in createBoundRole: after a crash in between the binding
 * says what is wanted, and `role repair` brings the database there.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND | ROLE_DRIFTED (also where the role is gone) |
 *   ETAG_MISMATCH | UPSTREAM_*
 */
export async function updatePostgresRole(
  deps: UpstreamDependencies,
  actor: Actor,
  instanceName: string,
  roleName: string,
  change: {
    readonly attributes?: { readonly [name in keyof RoleAttributes]?: boolean | undefined } | undefined
    readonly administrator?: boolean | undefined
  },
): Promise<PostgresRoleBindingRow> {
  authorize(actor, 'postgresRole.update')
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  const binding = await requirePostgresRole(deps, instance, roleName)
  const attributes: RoleAttributes = {
    createDb: change.attributes?.createDb ?? binding.attributes.createDb,
    createRole: change.attributes?.createRole ?? binding.attributes.createRole,
    bypassRls: change.attributes?.bypassRls ?? binding.attributes.bypassRls,
  }
  const isAdministrator = change.administrator ?? binding.isAdministrator
  await withAdminSession(deps, instance, async (admin) => {
    const { roles, inTransaction } = admin.session
    await inTransaction(async () => {
      const found = await roles.find(roleName)
      requireSameRole(instance, binding, admin, found)
      if (found === undefined) throw gone(instanceName, roleName)
      await roles.restoreAttributes(roleName, found, attributes)
      const isMember = found.memberOf.includes(ADMINISTRATORS)
      if (isAdministrator && !isMember) {
        await roles.ensureAdministratorsRole()
        await roles.grantMembership(ADMINISTRATORS, roleName, 'privileges')
      }
      if (!isAdministrator && isMember) await roles.revokeMembership(ADMINISTRATORS, roleName)
      // The statements went by name: nobody may have put another role under it meanwhile.
      requireSameRole(instance, binding, admin, (await roles.find(roleName)) ?? { ...found, oid: 'none' })
      await deps.store.db.transaction().execute(async (db) => {
        if (!(await updatePostgresRoleBinding(db, binding, { attributes, isAdministrator }))) {
          throw new PosternError('ETAG_MISMATCH', `Postgres role '${roleName}' was changed or unbound meanwhile`)
        }
        await recordAudit(db, {
          ...actorAudit(actor),
          action: 'postgresRole.update',
          outcome: 'allowed',
          targetType: 'postgres_role',
          targetId: binding.id,
          targetName: roleName,
          detail: { instance: instanceName, ...attributes, administrator: isAdministrator },
        })
      })
    })
  })
  return requirePostgresRole(deps, instance, roleName)
}

function gone(instanceName: string, roleName: string): PosternError {
  return new PosternError('ROLE_DRIFTED', `the Postgres role '${roleName}' on '${instanceName}' was dropped`, {
    hint: 'Run role repair, which makes it again.',
  })
}
