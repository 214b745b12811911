import type { AuditRecord } from '../audit/audit-record.ts'
import type { Actor } from './actor.ts'

/** The part of an audit record that says who did it, from where, in which request. */
export function actorAudit(
  actor: Actor,
): Pick<AuditRecord, 'workspaceId' | 'actorId' | 'actorName' | 'requestId' | 'peer'> {
  return {
    workspaceId: actor.workspaceId,
    actorId: actor.principalId,
    actorName: actor.name,
    requestId: actor.requestId,
    peer: actor.peer,
  }
}
