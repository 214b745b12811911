import { recordAudit } from '../audit/record-audit.ts'
import { updatePrincipal } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { changeMemberships } from './change-memberships.ts'
import { findServicePrincipal, type ServicePrincipal } from './find-service-principal.ts'
import { givenFields } from './given-fields.ts'
import { findEntry, requireOwn } from './principal-directory.ts'
import { checkedDisplayName } from './principal-names.ts'
import { withdrawAccess } from './withdraw-access.ts'

/**
 * Changes a service principal. A deactivated one gets no token, and is refused at its next request and its next login with those it
 * has; its secrets and Postgres roles stay for the day it is activated again.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace | INVALID_ARGUMENT | LAST_ADMIN
 */
export async function updateServicePrincipal(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
  change: {
    readonly displayName?: string | undefined
    readonly active?: boolean | undefined
    readonly externalId?: string | null | undefined
  },
): Promise<ServicePrincipal> {
  const entry = await findEntry(deps, actor.workspaceId, 'service_principal', clientId)
  requireOwn(actor, entry)
  const { active, externalId } = change
  const displayName = change.displayName === undefined ? undefined : checkedDisplayName(change.displayName)
  const changed = { displayName, active, externalId }
  await changeMemberships(deps, async (db) => {
    await updatePrincipal(db, entry.id, changed)
    if (active === false) await withdrawAccess(db, entry.id)
    await recordAudit(db, {
      ...actorAudit(actor),
      action:
        active === undefined
          ? 'servicePrincipal.update'
          : active
            ? 'servicePrincipal.activate'
            : 'servicePrincipal.deactivate',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: entry.id,
      targetName: clientId,
      detail: givenFields(changed),
    })
  })
  return findServicePrincipal(deps, actor.workspaceId, clientId)
}
