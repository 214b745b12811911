import type { Account } from 'oidc-provider'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { findPrincipalById } from '../store/principals.ts'
import type { Store } from '../store/store.ts'

/** A principal as oidc-provider knows it, with the name by which people know it. */
export interface PrincipalAccount extends Account {
  readonly name: string
}

/**
 * The principal with this id, read as it is now; undefined when it is deactivated or not in the workspace, so that it gets no
 * access token and no refresh from this moment on.
 */
export async function findPrincipalAccount(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  id: string,
): Promise<PrincipalAccount | undefined> {
  const principal = await withStoreErrors(findPrincipalById(deps.store.pool, workspaceId, id as PrincipalId))
  if (principal === undefined || !principal.active || principal.workspaceRole === null) return undefined
  return { accountId: principal.id, name: principal.name, claims: () => ({ sub: principal.id }) }
}
