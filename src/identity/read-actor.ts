import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { findPrincipalById } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'

/** Who a request comes from, or why nobody acts. */
export type ActorReading =
  | { readonly ok: true; readonly actor: Actor }
  | { readonly ok: false; readonly reason: 'unknown' | 'inactive' | 'not-in-workspace' }

/**
 * Reads the principal of a verified access token as it is now: a deactivated one is refused at its next request, and a
 * changed workspace role holds at once. The role is the strongest of the principal's own assignment and those of the active
 * groups it is in at any depth.
 *
 * @throws PosternError STORE_UNAVAILABLE
 */
export async function readActor(
  deps: { readonly store: Store },
  request: {
    readonly workspaceId: WorkspaceId
    readonly principalId: PrincipalId
    readonly requestId: string
    readonly peer: string
  },
): Promise<ActorReading> {
  const { workspaceId, principalId, requestId, peer } = request
  const principal = await withStoreErrors(findPrincipalById(deps.store.pool, workspaceId, principalId))
  if (principal === undefined) return { ok: false, reason: 'unknown' }
  if (!principal.active) return { ok: false, reason: 'inactive' }
  if (principal.workspaceRole === null) return { ok: false, reason: 'not-in-workspace' }
  const { kind, name, workspaceRole } = principal
  return { ok: true, actor: { principalId, kind, name, workspaceId, workspaceRole, requestId, peer } }
}
