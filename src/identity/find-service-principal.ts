import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import * as rows from '../store/service-principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { findEntry, requireOwn } from './principal-directory.ts'

/** A program that signs in with a secret. */
export interface ServicePrincipal {
  readonly id: PrincipalId
  /** UUID: its OAuth client id, and the name of its Postgres roles. */
  readonly clientId: string
  readonly displayName: string
  readonly active: boolean
  readonly workspaceRole: WorkspaceRole
  readonly createdAt: Date
}

/**
 * Reads a service principal of the workspace by its client id (UUID).
 * @throws PosternError NOT_FOUND, also for one of other workspaces only
 */
export async function findServicePrincipal(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  clientId: string,
): Promise<ServicePrincipal> {
  const found = await rows.findServicePrincipal(deps.store.db, workspaceId, clientId)
  if (found === undefined) {
    throw new PosternError('NOT_FOUND', `No service principal with client id '${clientId}' belongs to this workspace`)
  }
  return found
}

/**
 * Id of a service principal that belongs to the actor's workspace: how it signs in is decided there alone.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace, wherever it is assigned
 */
export async function requireOwnServicePrincipal(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
): Promise<PrincipalId> {
  const entry = await findEntry(deps, actor.workspaceId, 'service_principal', clientId)
  requireOwn(actor, entry)
  return entry.id
}

/** Service principals of the workspace in order of their ids, at most `limit`, those after the id `after`. */
export async function listServicePrincipals(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<ServicePrincipal[]> {
  return rows.listServicePrincipals(deps.store.db, workspaceId, page)
}
