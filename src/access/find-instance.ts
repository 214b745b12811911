import { PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import { findInstance, type InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'

/** The instance of that name. @throws PosternError INSTANCE_NOT_FOUND, also for one of other workspaces only */
export async function requireInstance(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  name: string,
): Promise<InstanceRow> {
  const instance = await findInstance(deps.store.db, workspaceId, name)
  if (instance) return instance
  throw new PosternError('INSTANCE_NOT_FOUND', `No instance '${name}' exists in this workspace`)
}

/** The same, and AVAILABLE. @throws PosternError INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE naming the state */
export async function requireAvailableInstance(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  name: string,
): Promise<InstanceRow> {
  const instance = await requireInstance(deps, workspaceId, name)
  if (instance.state === 'AVAILABLE') return instance
  throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${name}' is ${instance.state}, not AVAILABLE`)
}
