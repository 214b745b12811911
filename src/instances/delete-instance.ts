import { authorizeOnInstance } from '../access/instance-permissions.ts'
import { authorize } from '../access/policy.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { changeInstance, findInstance, type InstanceRow } from '../store/instances.ts'
import { setDesiredState } from '../store/managed-instances.ts'
import { instanceAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { getInstance, type InstanceView } from './read-instances.ts'

/**
 * Deletes an instance. An external one is DELETED: nobody logs in, no session of it is opened, lists leave it out, and nothing of
 * it is forgotten until it is purged. A managed one is DELETING until its supervisor has removed it with all its data.
 *
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND
 */
export async function deleteInstance(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
): Promise<'DELETED' | 'DELETING'> {
  await authorizeOnInstance(deps, actor, 'instance.delete', name)
  return deps.store.db.transaction().execute(async (db) => {
    const instance = await findInstance(db, actor.workspaceId, name, { forUpdate: true })
    if (instance === undefined) throw unknown(name)
    if (instance.kind === 'managed') {
      await changeInstance(db, instance.id, { state: 'DELETING', stateReason: null })
      await setDesiredState(db, instance.id, 'deleted')
    } else if (instance.state !== 'DELETED') {
      await changeInstance(db, instance.id, { state: 'DELETED', stateReason: null, deletedAt: deps.clock.now() })
    }
    await recordAudit(db, instanceAudit(actor, 'instance.delete', instance, { kind: instance.kind }))
    return instance.kind === 'managed' ? 'DELETING' : 'DELETED'
  })
}

/** Brings a deleted instance back as it was. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INVALID_ARGUMENT */
export async function undeleteInstance(deps: InstanceDependencies, actor: Actor, name: string): Promise<InstanceView> {
  authorize(actor, 'instance.undelete')
  await deps.store.db.transaction().execute(async (db) => {
    const instance = await findInstance(db, actor.workspaceId, name, { forUpdate: true })
    if (instance === undefined) throw unknown(name)
    requireDeleted(instance)
    await changeInstance(db, instance.id, { state: 'AVAILABLE', deletedAt: null })
    await recordAudit(db, instanceAudit(actor, 'instance.undelete', instance))
  })
  return getInstance(deps, actor, name)
}

function requireDeleted(instance: InstanceRow): void {
  if (instance.state === 'DELETED') return
  throw new PosternError('INVALID_ARGUMENT', `Instance '${instance.name}' is ${instance.state}, not DELETED`, {
    hint: 'Only a deleted external instance can be brought back.',
  })
}

function unknown(name: string): PosternError {
  return new PosternError('INSTANCE_NOT_FOUND', `No instance '${name}' exists in this workspace`)
}
