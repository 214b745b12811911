import { randomUUID } from 'node:crypto'
import { recordAudit } from '../audit/record-audit.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import { assignWorkspaceRole, insertServicePrincipal } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { findServicePrincipal, type ServicePrincipal } from './find-service-principal.ts'
import { checkedDisplayName } from './principal-names.ts'

/**
 * Creates a service principal of the actor's workspace. It has no secret yet, so nobody can sign in as it.
 * @throws PosternError INVALID_ARGUMENT for its display name
 */
export async function createServicePrincipal(
  deps: { readonly store: Store },
  actor: Actor,
  input: {
    readonly displayName: string
    readonly workspaceRole: WorkspaceRole
    readonly externalId?: string | undefined
  },
): Promise<ServicePrincipal> {
  const id = newNumericId<PrincipalId>()
  const clientId = randomUUID()
  const displayName = checkedDisplayName(input.displayName)
  await deps.store.db.transaction().execute(async (db) => {
    await insertServicePrincipal(db, {
      id,
      clientId,
      displayName,
      homeWorkspaceId: actor.workspaceId,
      externalId: input.externalId ?? null,
    })
    await assignWorkspaceRole(db, { workspaceId: actor.workspaceId, principalId: id, role: input.workspaceRole })
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'servicePrincipal.create',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: id,
      targetName: clientId,
      detail: { displayName, workspaceRole: input.workspaceRole },
    })
  })
  return findServicePrincipal(deps, actor.workspaceId, clientId)
}
