import type { WorkspaceId } from '../base/ids.ts'
import {
  type AuditEventFilter,
  type AuditEventPosition,
  type AuditEventRow,
  listAuditEvents,
} from '../store/audit-events.ts'
import type { Store } from '../store/store.ts'

export type { AuditEventFilter, AuditEventPosition, AuditEventRow }

/**
 * Audit events of one workspace, newest first: those that pass every given filter, at most `limit`, after the position where
 * the previous page ended. Events that belong to no workspace are in no answer.
 */
export async function queryAudit(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  filter: AuditEventFilter,
  page: { readonly limit: number; readonly after?: AuditEventPosition | undefined },
): Promise<AuditEventRow[]> {
  return listAuditEvents(deps.store.db, workspaceId, filter, page)
}
