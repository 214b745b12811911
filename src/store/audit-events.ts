import { CompiledQuery, type Kysely, type Transaction } from 'kysely'
import pg from 'pg'
import type { PrincipalId, SessionId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** A row of `audit_event`; `audit/audit-record.ts` says what each field means. */
export interface AuditEventRow {
  readonly id: string
  readonly occurredAt: Date
  readonly workspaceId: WorkspaceId | null
  readonly action: string
  readonly outcome: 'allowed' | 'denied' | 'failed'
  readonly reason: string | null
  readonly actorId: PrincipalId | null
  readonly actorName: string | null
  readonly targetType: string | null
  readonly targetId: string | null
  readonly targetName: string | null
  readonly sessionId: SessionId | null
  readonly requestId: string | null
  readonly peer: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

/** Which events are wanted; every filter that is present must hold. */
export interface AuditEventFilter {
  readonly action?: string
  readonly outcome?: AuditEventRow['outcome']
  /** Name or id of the actor. */
  readonly actor?: string
  /** Name or id of the target. */
  readonly target?: string
  readonly sessionId?: string
  /** Inclusive. */
  readonly since?: Date
  /** Exclusive. */
  readonly until?: Date
}

/** Where a page of events ended: the last event on it. */
export interface AuditEventPosition {
  readonly occurredAt: Date
  readonly id: string
}

const insertText = `
  insert into audit_event (id, occurred_at, workspace_id, action, outcome, reason, actor_id, actor_name, target_type,
    target_id, target_name, session_id, request_id, peer, detail)
  select * from jsonb_to_recordset($1::jsonb) as event (
    "id" uuid, "occurredAt" timestamptz, "workspaceId" bigint, "action" text, "outcome" text, "reason" text,
    "actorId" bigint, "actorName" text, "targetType" text, "targetId" text, "targetName" text, "sessionId" uuid,
    "requestId" text, "peer" text, "detail" jsonb)
  on conflict (id) do nothing`

/**
 * Stores events; one whose id is stored already is left as it is, so a record may be shipped twice. All of them travel in one
 * JSON parameter: the statement is the same text for any number, and building it costs a login nearly nothing.
 */
export async function insertAuditEvents(
  db: Kysely<Schema> | Transaction<Schema>,
  events: readonly AuditEventRow[],
): Promise<void> {
  if (events.length === 0) return
  await db.executeQuery(CompiledQuery.raw(insertText, [JSON.stringify(events)]))
}

/** The same outside of any transaction, prepared once per session of the pool: for the writer that every login waits for. */
export async function insertAuditEventsPrepared(pool: pg.Pool, events: readonly AuditEventRow[]): Promise<void> {
  if (events.length === 0) return
  await pool.query({ name: 'audit-insert-1', text: insertText, values: [JSON.stringify(events)] })
}

/** SQLSTATE classes: data exception, broken constraint, limit exceeded (an index entry that is too long). */
const ABOUT_THE_CONTENT = /^(22|23|54)...$/

/** Whether the store would refuse these events at every attempt, in contrast to one that is away or takes no changes. */
export function isRefusedForContent(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && ABOUT_THE_CONTENT.test(thrown.code ?? '')
}

/** Events of one workspace, newest first, at most `limit` of them, those after `after` in that order. */
export async function listAuditEvents(
  db: Kysely<Schema> | Transaction<Schema>,
  workspaceId: WorkspaceId,
  filter: AuditEventFilter,
  page: { readonly limit: number; readonly after?: AuditEventPosition },
): Promise<AuditEventRow[]> {
  let query = db.selectFrom('audit_event').selectAll().where('workspace_id', '=', workspaceId)
  const { action, outcome, actor, target, sessionId, since, until } = filter
  if (action !== undefined) query = query.where('action', '=', action)
  if (outcome !== undefined) query = query.where('outcome', '=', outcome)
  if (actor !== undefined) {
    query = query.where((row) =>
      row.or([
        row('actor_name', '=', actor),
        ...(isNumericId(actor) ? [row('actor_id', '=', actor as PrincipalId)] : []),
      ]),
    )
  }
  if (target !== undefined) {
    query = query.where((row) => row.or([row('target_name', '=', target), row('target_id', '=', target)]))
  }
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId as SessionId)
  if (since !== undefined) query = query.where('occurred_at', '>=', since)
  if (until !== undefined) query = query.where('occurred_at', '<', until)
  const { after } = page
  if (after !== undefined) {
    query = query.where((row) => row(row.refTuple('occurred_at', 'id'), '<', row.tuple(after.occurredAt, after.id)))
  }
  const rows = await query.orderBy('occurred_at', 'desc').orderBy('id', 'desc').limit(page.limit).execute()
  return rows.map((row) => ({
    id: row.id,
    occurredAt: row.occurred_at,
    workspaceId: row.workspace_id,
    action: row.action,
    outcome: row.outcome,
    reason: row.reason,
    actorId: row.actor_id,
    actorName: row.actor_name,
    targetType: row.target_type,
    targetId: row.target_id,
    targetName: row.target_name,
    sessionId: row.session_id,
    requestId: row.request_id,
    peer: row.peer,
    detail: row.detail,
  }))
}

/** Whether the text may be compared with a bigint column: anything else would be an error of the statement. */
function isNumericId(text: string): boolean {
  return /^\d{1,18}$/.test(text)
}
