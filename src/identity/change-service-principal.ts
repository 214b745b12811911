import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import { deletePrincipal, listBoundInstanceNames, setPrincipalActive } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { findServicePrincipal, type ServicePrincipal } from './find-service-principal.ts'

/**
 * Activates or deactivates a service principal. A deactivated one gets no token, and is refused at its next request and its
 * next login with those it has; its secrets and Postgres roles stay for the day it is activated again.
 * @throws PosternError NOT_FOUND
 */
export async function setServicePrincipalActive(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
  active: boolean,
): Promise<ServicePrincipal> {
  const { id } = await findServicePrincipal(deps, actor.workspaceId, clientId)
  await deps.store.db.transaction().execute(async (db) => {
    await setPrincipalActive(db, id, active)
    await recordAudit(db, {
      ...actorAudit(actor),
      action: active ? 'servicePrincipal.activate' : 'servicePrincipal.deactivate',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: id,
      targetName: clientId,
    })
  })
  return findServicePrincipal(deps, actor.workspaceId, clientId)
}

/**
 * Deletes a service principal and its secrets for good.
 * @throws PosternError NOT_FOUND | IN_USE while it has a Postgres role: deleting would leave the role behind, unguarded by any
 *   principal
 */
export async function deleteServicePrincipal(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
): Promise<void> {
  const { id, displayName } = await findServicePrincipal(deps, actor.workspaceId, clientId)
  await deps.store.db.transaction().execute(async (db) => {
    const bound = await listBoundInstanceNames(db, id)
    if (bound.length > 0) {
      throw new PosternError('IN_USE', `Service principal '${clientId}' has a Postgres role on ${bound.join(', ')}`, {
        hint: 'Unbind its Postgres roles first, or deactivate the service principal: that takes its access at once.',
      })
    }
    await deletePrincipal(db, id)
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'servicePrincipal.delete',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: id,
      targetName: clientId,
      detail: { displayName },
    })
  })
}
