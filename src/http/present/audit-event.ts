import type { AuditEventRow } from '../../audit/query-audit.ts'
import type { AuditEvent } from '../../contract/audit-events.ts'

export function presentAuditEvent(event: AuditEventRow): AuditEvent {
  const { id, action, outcome, reason, sessionId, requestId, peer, detail } = event
  return {
    id,
    occurredAt: event.occurredAt.toISOString(),
    action,
    outcome,
    reason,
    actor: { id: event.actorId, name: event.actorName },
    target: { type: event.targetType, id: event.targetId, name: event.targetName },
    sessionId,
    requestId,
    peer,
    detail: { ...detail },
  }
}
