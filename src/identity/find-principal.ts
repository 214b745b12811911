import { PosternError } from '../base/errors.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { findPrincipals, type PrincipalKey } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { PrincipalKind } from './actor.ts'

/** A user, service principal or group of a workspace. */
export interface Principal {
  readonly id: PrincipalId
  readonly kind: PrincipalKind
  /** E-mail of a user, client id of a service principal, name of a group. */
  readonly name: string
  readonly active: boolean
}

/**
 * Finds the one principal that a request names, among those of the workspace: assigned themselves or through a group at any
 * depth. Deactivated ones are found too; callers say what that means to them.
 *
 * @throws PosternError NOT_FOUND (also for a principal of other workspaces only) | INVALID_ARGUMENT where several groups
 *   have the name
 */
export async function findPrincipal(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  reference: PrincipalKey,
): Promise<Principal> {
  const found = await findPrincipals(deps.store.db, workspaceId, reference)
  const [principal, another] = found.filter((row) => row.workspaceRole !== null)
  const [field, value] = Object.entries(reference)[0] ?? ['id', '']
  if (principal === undefined) {
    throw new PosternError('NOT_FOUND', `No principal with ${field} '${value}' belongs to this workspace`)
  }
  if (another !== undefined) {
    throw new PosternError('INVALID_ARGUMENT', `Several groups are called '${value}'`, {
      hint: 'Name the group by id.',
    })
  }
  const { id, kind, name, active } = principal
  return { id, kind, name, active }
}
