import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { newNumericId, type WorkspaceId } from '../base/ids.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { ensureSigningKeys } from '../keys/ensure-signing-keys.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { assignWorkspaceRole, type PrincipalKey } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import { insertWorkspace, lockWorkspaces, replaceWorkspaceHosts } from '../store/workspaces.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { findPrincipal } from './find-principal.ts'
import { findWorkspace, requireFirstWorkspace } from './find-workspace.ts'
import type { Workspace } from './workspace-directory.ts'
import { checkedGatewayDomain, checkedHosts, checkedWorkspaceName } from './workspace-names.ts'

/**
 * Creates a workspace with signing keys of its own and one administrator. Every node serves it within ten seconds.
 *
 * @param input.hosts Host header values, `name` or `name:port`, that select it; the first in order of the alphabet is in its tokens
 * @param input.admin a principal of the actor's workspace; absent: the actor
 * @throws PosternError PERMISSION_DENIED outside of the first workspace | INVALID_ARGUMENT | ALREADY_EXISTS | NOT_FOUND
 */
export async function createWorkspace(
  deps: { readonly store: Store; readonly masterKey: MasterKey; readonly clock: Clock },
  actor: Actor,
  input: {
    readonly name: string
    readonly hosts: readonly string[]
    readonly gatewayDomain: string
    readonly admin?: PrincipalKey | undefined
  },
): Promise<Workspace> {
  await requireFirstWorkspace(deps, actor)
  const name = checkedWorkspaceName(input.name)
  const hosts = checkedHosts(input.hosts)
  const gatewayDomain = checkedGatewayDomain(input.gatewayDomain)
  const admin = await findPrincipal(deps, actor.workspaceId, input.admin ?? { id: actor.principalId })
  const id = newNumericId<WorkspaceId>()
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await lockWorkspaces(db)
      await insertWorkspace(db, { id, name, gatewayDomain })
      await replaceWorkspaceHosts(db, id, hosts)
      await ensureSigningKeys(db, deps.masterKey, deps.clock, id)
      await assignWorkspaceRole(db, { workspaceId: id, principalId: admin.id, role: 'admin' })
      await recordAudit(db, {
        ...actorAudit(actor),
        action: 'workspace.create',
        outcome: 'allowed',
        targetType: 'workspace',
        targetId: id,
        targetName: name,
        detail: { admin: admin.name, hosts, gatewayDomain },
      })
    }),
  )
  return findWorkspace(deps, actor, id)
}
