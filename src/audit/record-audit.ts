import { randomUUID } from 'node:crypto'
import type { Kysely, Transaction } from 'kysely'
import { insertAuditEvents } from '../store/audit-events.ts'
import type { Schema } from '../store/schema.ts'
import type { AuditRecord } from './audit-record.ts'

/** What a caller has to say of a change; the rest is filled in as "not known". */
export type AuditEntry = Pick<AuditRecord, 'action' | 'outcome' | 'workspaceId'> & Partial<AuditRecord>

/** The whole record for an entry: an id of its own, now, and null for what was not said. */
export function auditRecord(entry: AuditEntry): AuditRecord {
  return {
    id: randomUUID(),
    occurredAt: new Date(),
    reason: null,
    actorId: null,
    actorName: null,
    targetType: null,
    targetId: null,
    targetName: null,
    sessionId: null,
    requestId: null,
    peer: null,
    detail: {},
    ...entry,
  }
}

/**
 * Writes an audit record with the change that it is about: pass the change's own transaction, so that neither is stored
 * without the other (design section 5, invariant 6).
 */
export async function recordAudit(db: Kysely<Schema> | Transaction<Schema>, entry: AuditEntry): Promise<void> {
  await insertAuditEvents(db, [auditRecord(entry)])
}
