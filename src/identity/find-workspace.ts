import { PosternError } from '../base/errors.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { Store } from '../store/store.ts'
import * as rows from '../store/workspaces.ts'
import type { Actor } from './actor.ts'
import type { Workspace } from './workspace-directory.ts'

/** The workspaces that the actor may know of, oldest first: its own; in the first workspace, its administrators see all. */
export async function listWorkspaces(deps: { readonly store: Store }, actor: Actor): Promise<Workspace[]> {
  const all = await withStoreErrors(rows.listWorkspaces(deps.store.db))
  const own = all.filter(({ id }) => id === actor.workspaceId)
  return actor.workspaceRole === 'admin' && own.some(({ isFirst }) => isFirst) ? all : own
}

/**
 * One workspace by id or name, among those that the actor may know of.
 * @throws PosternError NOT_FOUND
 */
export async function findWorkspace(
  deps: { readonly store: Store },
  actor: Actor,
  reference: string,
): Promise<Workspace> {
  const workspaces = await listWorkspaces(deps, actor)
  const found = workspaces.find(({ id, name }) => id === reference || name === reference)
  if (found === undefined) throw new PosternError('NOT_FOUND', `There is no workspace '${reference}' that you may see`)
  return found
}

/**
 * Stops whoever does not administrate the deployment: hosts and gateway domains select workspaces, so giving oneself those of another
 * would be taking it over.
 * @throws PosternError PERMISSION_DENIED
 */
export async function requireFirstWorkspace(deps: { readonly store: Store }, actor: Actor): Promise<void> {
  const own = (await withStoreErrors(rows.listWorkspaces(deps.store.db))).find(({ id }) => id === actor.workspaceId)
  if (own?.isFirst) return
  throw new PosternError('PERMISSION_DENIED', 'Workspaces are created and changed in the first workspace', {
    hint: 'Ask a Workspace Admin of the first workspace of the deployment.',
  })
}
