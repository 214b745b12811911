import { recordAudit } from '../audit/record-audit.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { Store } from '../store/store.ts'
import { lockWorkspaces, replaceWorkspaceHosts, updateWorkspace as updateWorkspaceRow } from '../store/workspaces.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { findWorkspace, requireFirstWorkspace } from './find-workspace.ts'
import type { Workspace } from './workspace-directory.ts'
import { checkedGatewayDomain, checkedHosts, checkedWorkspaceName } from './workspace-names.ts'

/**
 * Changes name, hosts and gateway domain of a workspace. Access tokens carry the first host, so that a change of it ends them.
 * @param reference id or name
 * @throws PosternError PERMISSION_DENIED outside of the first workspace | NOT_FOUND | INVALID_ARGUMENT | ALREADY_EXISTS
 */
export async function updateWorkspace(
  deps: { readonly store: Store },
  actor: Actor,
  reference: string,
  change: {
    readonly name?: string | undefined
    readonly hosts?: readonly string[] | undefined
    readonly gatewayDomain?: string | undefined
  },
): Promise<Workspace> {
  await requireFirstWorkspace(deps, actor)
  const { id, ...before } = await findWorkspace(deps, actor, reference)
  const after = {
    name: change.name === undefined ? before.name : checkedWorkspaceName(change.name),
    gatewayDomain:
      change.gatewayDomain === undefined ? before.gatewayDomain : checkedGatewayDomain(change.gatewayDomain),
    hosts: change.hosts === undefined ? before.hosts : checkedHosts(change.hosts),
  }
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await lockWorkspaces(db)
      await updateWorkspaceRow(db, id, after)
      if (change.hosts !== undefined) await replaceWorkspaceHosts(db, id, after.hosts)
      await recordAudit(db, {
        ...actorAudit(actor),
        action: 'workspace.update',
        outcome: 'allowed',
        targetType: 'workspace',
        targetId: id,
        targetName: before.name,
        detail: after,
      })
    }),
  )
  return findWorkspace(deps, actor, id)
}
