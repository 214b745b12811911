import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import { LoginKey } from '../crypto/login-key.ts'
import { open } from '../crypto/seal.ts'
import type { UpstreamRole } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { InstanceRow } from '../store/instances.ts'
import { updatePostgresRoleBinding, type PostgresRoleBindingRow } from '../store/postgres-role-bindings.ts'
import { adminLoginTimeoutMs, withAdminSession, type AdminSession, type UpstreamDependencies } from './admin-session.ts'
import { ADMINISTRATORS, BOUND_ROLES, loginFor, makeRole } from './create-bound-role.ts'
import { requireAvailableInstance } from './find-instance.ts'
import { requireInstancePermission } from './instance-permissions.ts'
import { requirePostgresRole } from './list-postgres-roles.ts'
import { loginKeyContext } from './login-key-context.ts'
import { authorize } from './policy.ts'
import { requireSameRole } from './require-same-role.ts'

/** What `repair` found changed on the instance. */
export type RepairFinding = 'role_missing' | 'login_key_changed' | 'attributes_changed' | 'membership_missing'

/**
 * Compares a bound Postgres role with what was bound and puts it back. Only the very role that was bound is ever touched: one
 * of the same name with another oid, or in another cluster, is somebody else's, and giving it a password of ours would hand
 * its owner's objects to the principal. A role that is gone is made again.
 *
 * The login key is tried by a real login. Where it cannot be tried, because the role may not log in or its password expired,
 * it is reset without being reported.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND | ROLE_DRIFTED | UPSTREAM_*
 * @see design section 5b: "only an explicit, audited role repair after an oid check resets it"
 */
export async function repairPostgresRole(
  deps: UpstreamDependencies,
  actor: Actor,
  instanceName: string,
  roleName: string,
): Promise<{ role: PostgresRoleBindingRow; findings: RepairFinding[]; repaired: boolean }> {
  authorize(actor, 'postgresRole.repair')
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  const binding = await requirePostgresRole(deps, instance, roleName)
  const findings = await withAdminSession(deps, instance, async (admin) => {
    try {
      const found = await admin.session.roles.find(roleName)
      requireSameRole(instance, binding, admin, found)
      const changes = await compare(deps, instance, binding, admin, found)
      await repair(deps, actor, instance, binding, admin, found, changes)
      return changes
    } catch (thrown) {
      if (thrown instanceof PosternError && thrown.code === 'ROLE_DRIFTED') {
        await recordAudit(deps.store.db, { ...entry(actor, instance, binding), outcome: 'denied', reason: thrown.code })
      }
      throw thrown
    }
  })
  const role = await requirePostgresRole(deps, instance, roleName)
  return { role, findings, repaired: findings.length > 0 }
}

async function compare(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  binding: PostgresRoleBindingRow,
  admin: AdminSession,
  found: UpstreamRole | undefined,
): Promise<RepairFinding[]> {
  if (found === undefined) return ['role_missing']
  const findings: RepairFinding[] = []
  if (!hasAttributes(found, binding)) findings.push('attributes_changed')
  if (missingMemberships(instance, binding, found).length > 0) findings.push('membership_missing')
  const canTry = instance.kind === 'external' && found.canLogin && !found.passwordExpires
  if (canTry && !(await loginKeyWorks(deps, instance, binding, admin))) findings.push('login_key_changed')
  return findings
}

function hasAttributes(found: UpstreamRole, { attributes }: PostgresRoleBindingRow): boolean {
  const { createDb, createRole, bypassRls } = found.attributes
  return (
    found.canLogin &&
    found.inherits &&
    !found.isSuperuser &&
    !found.mayReplicate &&
    !found.passwordExpires &&
    createDb === attributes.createDb &&
    createRole === attributes.createRole &&
    bypassRls === attributes.bypassRls
  )
}

function missingMemberships(instance: InstanceRow, binding: PostgresRoleBindingRow, found: UpstreamRole): string[] {
  const wanted = [
    ...(instance.kind === 'managed' ? [BOUND_ROLES] : []),
    ...(binding.isAdministrator ? [ADMINISTRATORS] : []),
  ]
  return wanted.filter((group) => !found.memberOf.includes(group))
}

async function loginKeyWorks(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  binding: PostgresRoleBindingRow,
  admin: AdminSession,
): Promise<boolean> {
  if (binding.loginKeySealed === null) return false
  const route = { ...admin.route, username: binding.roleName }
  const loginKey = openLoginKey(deps, binding, binding.loginKeySealed, route)
  const { roleLogin } = await loadEngine(instance.engine)
  if (loginKey === undefined || roleLogin === undefined) return false
  // The password, or the token that stands for it, is that of another user.
  const { password: _, ...secrets } = admin.secrets
  return roleLogin.acceptsLoginKey(route, loginKey, {
    dialer: deps.dialer,
    secrets,
    timeoutMs: adminLoginTimeoutMs,
  })
}

/** Undefined when it was sealed for another destination: the data source has moved since. */
function openLoginKey(
  deps: UpstreamDependencies,
  binding: PostgresRoleBindingRow,
  sealed: Buffer,
  route: AdminSession['route'],
): LoginKey | undefined {
  try {
    return LoginKey.fromSecret(open(deps.masterKey, sealed, loginKeyContext(binding.id, route)))
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'SECRET_UNREADABLE') return undefined
    throw thrown
  }
}

/** Upstream first but uncommitted, then the store, then the upstream's commit: as in createBoundRole, a crash leaves nothing that a second repair does not mend. */
async function repair(
  deps: UpstreamDependencies,
  actor: Actor,
  instance: InstanceRow,
  binding: PostgresRoleBindingRow,
  admin: AdminSession,
  found: UpstreamRole | undefined,
  findings: readonly RepairFinding[],
): Promise<void> {
  const { session, route } = admin
  const { roleName } = binding
  await session.inTransaction(async () => {
    const resetsLogin =
      findings.includes('role_missing') ||
      findings.includes('login_key_changed') ||
      found?.canLogin === false ||
      found?.passwordExpires === true
    const login = resetsLogin
      ? loginFor(deps.masterKey, instance, binding.id, { ...route, username: roleName })
      : undefined
    let { roleOid } = binding
    if (found === undefined) {
      const spec = { roleName, attributes: binding.attributes, administrator: binding.isAdministrator }
      roleOid = await makeRole(session, instance, spec, login?.verifier ?? null)
    } else {
      await session.roles.restoreAttributes(roleName, found, binding.attributes)
      for (const group of missingMemberships(instance, binding, found)) {
        if (group === ADMINISTRATORS) await session.roles.ensureAdministratorsRole()
        await session.roles.grantMembership(group, roleName, group === BOUND_ROLES ? 'marker' : 'privileges')
      }
      if (login?.verifier) await session.roles.setPasswordVerifier(roleName, login.verifier)
      // The statements went by name: nobody may have put another role under it since the comparison.
      requireSameRole(instance, binding, admin, (await session.roles.find(roleName)) ?? { ...found, oid: 'none' })
    }
    await deps.store.db.transaction().execute(async (db) => {
      const isCurrent = await updatePostgresRoleBinding(db, binding, {
        roleOid,
        ...(login && { loginKeySealed: login.sealed }),
      })
      if (!isCurrent)
        throw new PosternError('ETAG_MISMATCH', `Postgres role '${roleName}' was changed or unbound meanwhile`)
      await recordAudit(db, {
        ...entry(actor, instance, binding),
        outcome: 'allowed',
        detail: { instance: instance.name, findings, roleOid },
      })
    })
  })
}

function entry(actor: Actor, instance: InstanceRow, binding: PostgresRoleBindingRow) {
  return {
    ...actorAudit(actor),
    action: 'postgresRole.repair',
    targetType: 'postgres_role',
    targetId: binding.id,
    targetName: binding.roleName,
    detail: { instance: instance.name },
  } as const
}
