import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { PrincipalKey } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import { findEntry, listEntries } from './principal-directory.ts'

/**
 * Ids of principals that a request names, among those that the workspace sees: unlike `findPrincipal`, also its own ones that are not
 * assigned to it.
 * @throws PosternError NOT_FOUND | INVALID_ARGUMENT where several groups have the name
 */
export async function findVisiblePrincipals(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  references: readonly PrincipalKey[],
): Promise<PrincipalId[]> {
  const ids: PrincipalId[] = []
  for (const reference of references) ids.push(await findVisible(deps, workspaceId, reference))
  return ids
}

async function findVisible(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  reference: PrincipalKey,
): Promise<PrincipalId> {
  if ('email' in reference) return (await findEntry(deps, workspaceId, 'user', reference.email)).id
  if ('group' in reference) return (await findEntry(deps, workspaceId, 'group', reference.group)).id
  if ('clientId' in reference) {
    return (await findEntry(deps, workspaceId, 'service_principal', reference.clientId)).id
  }
  const [entry] = await listEntries(deps, workspaceId, { id: reference.id }, { limit: 1 })
  if (entry === undefined) {
    throw new PosternError('NOT_FOUND', `No principal with id '${reference.id}' belongs to this workspace`)
  }
  return entry.id
}
