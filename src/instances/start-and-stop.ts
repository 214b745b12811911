import { requireInstance } from '../access/find-instance.ts'
import { authorizeOnInstance } from '../access/instance-permissions.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { changeInstance, findInstance, type InstanceRow } from '../store/instances.ts'
import { setDesiredState } from '../store/managed-instances.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { instanceAudit } from './instance-audit.ts'
import { getInstance, type InstanceView } from './read-instances.ts'

/** State of a managed instance → the one that the use-case puts it in; a state that is not here refuses. */
type Transitions = Partial<Record<InstanceRow['state'], InstanceRow['state']>>

const STARTS: Transitions = {
  STOPPED: 'STARTING',
  FAILED: 'STARTING',
  STARTING: 'STARTING',
  AVAILABLE: 'AVAILABLE',
  UPDATING: 'STARTING',
}
/** UPDATING until its supervisor has seen it stop: new logins are refused from now on. */
const STOPS: Transitions = {
  AVAILABLE: 'UPDATING',
  STARTING: 'UPDATING',
  FAILED: 'UPDATING',
  UPDATING: 'UPDATING',
  STOPPED: 'STOPPED',
}

/** Starts a managed instance: STARTING until its supervisor has it running. Starting one that runs changes nothing. */
export function startInstance(deps: InstanceDependencies, actor: Actor, name: string): Promise<InstanceView> {
  return change(deps, actor, name, 'instance.start', 'running', STARTS)
}

/** Stops a managed instance; its sessions end, its data stays. Stopping one that is stopped changes nothing. */
export function stopInstance(deps: InstanceDependencies, actor: Actor, name: string): Promise<InstanceView> {
  return change(deps, actor, name, 'instance.stop', 'stopped', STOPS)
}

/** @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INVALID_ARGUMENT (external) | INSTANCE_NOT_AVAILABLE (state) */
async function change(
  deps: InstanceDependencies,
  actor: Actor,
  name: string,
  action: 'instance.start' | 'instance.stop',
  desired: 'running' | 'stopped',
  transitions: Transitions,
): Promise<InstanceView> {
  await authorizeOnInstance(deps, actor, action, name)
  const { kind } = await requireInstance(deps, actor.workspaceId, name)
  if (kind === 'external') {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `Instance '${name}' is external: Postern does not start or stop its database`,
      { hint: 'Start or stop it where it runs.' },
    )
  }
  await deps.store.db.transaction().execute(async (db) => {
    const current = await findInstance(db, actor.workspaceId, name, { forUpdate: true })
    const next = current && transitions[current.state]
    if (current === undefined || next === undefined) {
      throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${name}' is ${current?.state ?? 'gone'}`)
    }
    if (next !== current.state) await changeInstance(db, current.id, { state: next, stateReason: null })
    await setDesiredState(db, current.id, desired)
    await recordAudit(db, instanceAudit(actor, action, current))
  })
  return getInstance(deps, actor, name)
}
