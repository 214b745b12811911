import { withAdminSession } from '../access/admin-session.ts'
import { requireInstance } from '../access/find-instance.ts'
import { authorize } from '../access/policy.ts'
import { dropBoundRole, type UpstreamOutcome } from '../access/unbind-postgres-role.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, PosternError, type ErrorCode } from '../base/errors.ts'
import { forgetCatalogue } from '../catalog/forget-catalogue.ts'
import type { Actor } from '../identity/actor.ts'
import { changeInstance, deleteInstance as deleteInstanceRow, type InstanceRow } from '../store/instances.ts'
import { listPostgresRoleBindings } from '../store/postgres-role-bindings.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'

/** What became of a bound Postgres role on the database of a purged instance. */
export interface LeftoverRole {
  readonly roleName: string
  readonly outcome: UpstreamOutcome | 'failed'
  readonly code?: ErrorCode
}

/**
 * Forgets an external instance for good, deleted before or not. Its database stays, without the Postgres roles that Postern made
 * there as far as they can be dropped: one that owns objects, or a database that does not answer, leaves them, and the answer
 * says so.
 *
 * @returns the Postgres roles that are still on the database
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INVALID_ARGUMENT for a managed instance
 */
export async function purgeInstance(deps: InstanceDependencies, actor: Actor, name: string): Promise<LeftoverRole[]> {
  authorize(actor, 'instance.purge')
  const instance = await requireInstance(deps, actor.workspaceId, name)
  if (instance.kind === 'managed') {
    throw new PosternError('INVALID_ARGUMENT', `Instance '${name}' is managed: deleting it removes it for good`, {
      hint: 'Delete it without purge.',
    })
  }
  await deps.store.db.transaction().execute(async (db) => {
    // Nobody may log in while the roles go.
    await changeInstance(db, instance.id, { state: 'DELETING', stateReason: null, deletedAt: null })
    await recordAudit(db, instanceAudit(actor, 'instance.purge', instance))
  })
  const leftovers = (await dropRoles(deps, instance)).filter(
    ({ outcome }) => outcome === 'left' || outcome === 'failed',
  )
  await forgetCatalogue(deps, instance.id)
  await deps.store.db.transaction().execute(async (db) => {
    await deleteInstanceRow(db, instance.id)
    if (leftovers.length === 0) return
    const detail = { leftRoles: leftovers.map(({ roleName, code }) => (code ? `${roleName}: ${code}` : roleName)) }
    await recordAudit(db, {
      ...instanceAudit(actor, 'instance.purge', instance, detail),
      outcome: 'failed',
      reason: 'IN_USE',
    })
  })
  return leftovers
}

async function dropRoles(deps: InstanceDependencies, instance: InstanceRow): Promise<LeftoverRole[]> {
  const bindings = await listPostgresRoleBindings(deps.store.db, instance.id)
  if (bindings.length === 0) return []
  try {
    return await withAdminSession(deps, instance, async (admin) => {
      const outcomes: LeftoverRole[] = []
      for (const binding of bindings) {
        const { roleName } = binding
        try {
          outcomes.push({ roleName, outcome: await dropBoundRole(admin, binding, undefined) })
        } catch (thrown) {
          outcomes.push({ roleName, outcome: 'failed', code: asPosternError(thrown).code })
        }
      }
      return outcomes
    })
  } catch (thrown) {
    const { code } = asPosternError(thrown)
    return bindings.map(({ roleName }) => ({ roleName, outcome: 'failed', code }))
  }
}
