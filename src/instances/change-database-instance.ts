import { authorizeOnInstance } from '../access/instance-permissions.ts'
import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { type DatabaseInstanceView, getDatabaseInstance } from './read-database-instances.ts'
import { startInstance, stopInstance } from './start-and-stop.ts'
import { updateInstance } from './update-instance.ts'

/** What the compatible API changes of an instance; what is absent stays as it is. */
export interface DatabaseInstanceChange {
  readonly nativeLoginEnabled?: boolean
  /** Only those that change; an undefined value takes one away. */
  readonly compatibleSettings?: InstanceRow['compatibleSettings']
  readonly stopped?: boolean
}

/**
 * Changes settings of a Postgres instance, then stops or starts it. What cannot be stopped is refused before anything changes;
 * an external instance is as little started as stopped, and asking that it run asks for nothing.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE | INVALID_ARGUMENT | ETAG_MISMATCH
 */
export async function changeDatabaseInstance(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  { nativeLoginEnabled, compatibleSettings, stopped }: DatabaseInstanceChange,
): Promise<DatabaseInstanceView> {
  const before = await getDatabaseInstance(deps, actor, name)
  await authorizeOnInstance(deps, actor, 'instance.update', name)
  if (before.kind === 'external' && stopped === true) {
    throw new PosternError('INVALID_ARGUMENT', `Instance '${name}' is external: Postern does not stop its database`, {
      hint: 'Stop it where it runs.',
    })
  }
  if (nativeLoginEnabled !== undefined || compatibleSettings !== undefined) {
    const settings = compatibleSettings && { ...before.compatibleSettings, ...compatibleSettings }
    const input = { etag: before.version, ...(nativeLoginEnabled !== undefined && { nativeLoginEnabled }) }
    await updateInstance(deps, actor, name, input, { compatibleSettings: settings })
  }
  if (before.kind === 'managed' && stopped !== undefined) {
    await (stopped ? stopInstance(deps, actor, name) : startInstance(deps, actor, name))
  }
  return getDatabaseInstance(deps, actor, name)
}
