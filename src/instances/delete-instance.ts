import { withAdminSession } from '../access/admin-session.ts'
import { requireInstance } from '../access/find-instance.ts'
import { authorize } from '../access/policy.ts'
import { dropBoundRole, type UpstreamOutcome } from '../access/unbind-postgres-role.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, type ErrorCode } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { changeInstance, deleteInstance as deleteInstanceRow, type InstanceRow } from '../store/instances.ts'
import { setDesiredState } from '../store/managed-instances.ts'
import { listPostgresRoleBindings } from '../store/postgres-role-bindings.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'

/** What became of a bound Postgres role on the database of a deleted external instance. */
export interface LeftoverRole {
  readonly roleName: string
  readonly outcome: UpstreamOutcome | 'failed'
  readonly code?: ErrorCode
}

/**
 * Deletes an instance. An external one leaves Postern at once; its database stays, without the Postgres roles that Postern made
 * there as far as they can be dropped: one that owns objects, or a database that does not answer, leaves them, and the answer
 * says so. A managed one is DELETING until its supervisor has removed it with all its data.
 *
 * @returns the Postgres roles that are still on the database
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND
 */
export async function deleteInstance(deps: InstanceDependencies, actor: Actor, name: string): Promise<LeftoverRole[]> {
  authorize(actor, 'instance.delete')
  const instance = await requireInstance(deps, actor.workspaceId, name)
  if (instance.kind === 'managed') {
    await deps.store.db.transaction().execute(async (db) => {
      await changeInstance(db, instance.id, { state: 'DELETING', stateReason: null })
      await setDesiredState(db, instance.id, 'deleted')
      await recordAudit(db, instanceAudit(actor, 'instance.delete', instance, { kind: 'managed' }))
    })
    return []
  }
  await deps.store.db.transaction().execute(async (db) => {
    // Nobody may log in while the roles go.
    await changeInstance(db, instance.id, { state: 'DELETING', stateReason: null })
    await recordAudit(db, instanceAudit(actor, 'instance.delete', instance, { kind: 'external' }))
  })
  const leftovers = (await dropRoles(deps, instance)).filter(
    ({ outcome }) => outcome === 'left' || outcome === 'failed',
  )
  await deps.store.db.transaction().execute(async (db) => {
    await deleteInstanceRow(db, instance.id)
    if (leftovers.length === 0) return
    const detail = {
      kind: 'external',
      leftRoles: leftovers.map(({ roleName, code }) => (code ? `${roleName}: ${code}` : roleName)),
    }
    await recordAudit(db, {
      ...instanceAudit(actor, 'instance.delete', instance, detail),
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
