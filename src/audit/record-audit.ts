import type { Kysely, Transaction } from 'kysely'
import { insertAuditEvents } from '../store/audit-events.ts'
import type { Schema } from '../store/schema.ts'
import { type AuditEntry, auditRecord } from './audit-record.ts'

/**
 * Writes an audit record with the change that it is about: pass the change's own transaction, so that neither is stored
 * without the other (design section 5, invariant 6).
 */
export async function recordAudit(db: Kysely<Schema> | Transaction<Schema>, entry: AuditEntry): Promise<void> {
  await insertAuditEvents(db, [auditRecord(entry)])
}
