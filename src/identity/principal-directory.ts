import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import {
  type DirectoryFilter,
  directoryPosition,
  type DirectoryPosition,
  type DirectoryRow,
  listDirectory,
} from '../store/principal-directory.ts'
import type { Store } from '../store/store.ts'
import type { Actor, PrincipalKind } from './actor.ts'

export { directoryPosition }
export type { DirectoryFilter, DirectoryPosition }

/** A user, service principal or group as the directory of a workspace shows it. */
export type DirectoryEntry = DirectoryRow

export const principalKindTitle: Readonly<Record<PrincipalKind, string>> = {
  user: 'user',
  service_principal: 'service principal',
  group: 'group',
}

/**
 * Principals of the workspace that pass every given filter, in order of their names, at most `limit`, those after a position: those
 * that belong to it, those assigned to it, and the members of assigned groups at any depth.
 * @throws PosternError STORE_UNAVAILABLE
 */
export async function listEntries(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  filter: DirectoryFilter,
  page: { readonly limit: number; readonly after?: DirectoryPosition | undefined },
): Promise<DirectoryEntry[]> {
  return withStoreErrors(listDirectory(deps.store.db, workspaceId, filter, page))
}

/**
 * The one principal of a kind that a request names by id (digits) or by name: e-mail, client id or group name.
 * @throws PosternError NOT_FOUND (also for one of other workspaces only) | INVALID_ARGUMENT where several groups have the name
 */
export async function findEntry(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  kind: PrincipalKind,
  reference: string,
): Promise<DirectoryEntry> {
  const key = /^\d{1,18}$/.test(reference) ? { id: reference } : { name: reference }
  const [entry, another] = await listEntries(deps, workspaceId, { kind, ...key }, { limit: 2 })
  if (entry === undefined) {
    throw new PosternError('NOT_FOUND', `No ${principalKindTitle[kind]} '${reference}' belongs to this workspace`)
  }
  if (another !== undefined) {
    throw new PosternError('INVALID_ARGUMENT', `Several groups are called '${reference}'`, {
      hint: 'Name the group by id.',
    })
  }
  return entry
}

/** As {@link findEntry}, by id, whatever kind it is. @throws PosternError NOT_FOUND */
export async function findEntryById(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  id: PrincipalId,
): Promise<DirectoryEntry> {
  const [entry] = await listEntries(deps, workspaceId, { id }, { limit: 1 })
  if (entry === undefined) throw new PosternError('NOT_FOUND', `No principal with id '${id}' belongs to this workspace`)
  return entry
}

/**
 * Stops a change of a principal that belongs to another workspace: it is assigned here, and what it is is decided there. Without
 * this, the administrators of one workspace could take over those of another.
 * @throws PosternError PERMISSION_DENIED
 */
export function requireOwn(actor: Actor, entry: Pick<DirectoryEntry, 'isOwn' | 'kind' | 'name'>): void {
  if (entry.isOwn) return
  throw new PosternError(
    'PERMISSION_DENIED',
    `The ${principalKindTitle[entry.kind]} '${entry.name}' belongs to another workspace, which ${actor.name} does not administrate here`,
    { hint: 'Change it in the workspace that it belongs to, or take it out of this one.' },
  )
}
