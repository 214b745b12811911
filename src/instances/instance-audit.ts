import type { AuditEntry } from '../audit/audit-record.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { InstanceRow } from '../store/instances.ts'

/** The audit entry for something done to an instance. */
export function instanceAudit(
  actor: Actor,
  action: 'instance.create' | 'instance.update' | 'instance.delete' | 'instance.start' | 'instance.stop',
  instance: Pick<InstanceRow, 'id' | 'name'>,
  detail: AuditEntry['detail'] = {},
): AuditEntry {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'instance',
    targetId: instance.id,
    targetName: instance.name,
    detail,
  }
}
