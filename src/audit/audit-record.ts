import { randomUUID } from 'node:crypto'
import type { PrincipalId, SessionId, WorkspaceId } from '../base/ids.ts'

/** As error codes are spelled: `ROLE_NOT_BOUND`. */
export type AuditReason = Uppercase<string>

export type AuditOutcome = 'allowed' | 'denied' | 'failed'

/** One thing that happened. Holds no secret and no SQL; `detail` is small and flat. */
export interface AuditRecord {
  /** UUID made by the writer: a record that is shipped twice is kept once. */
  readonly id: string
  readonly occurredAt: Date
  readonly workspaceId: WorkspaceId | null
  /** Dotted verb: `login`, `session.start`, `session.end`, `credential.issue`, `instance.create`, … */
  readonly action: string
  readonly outcome: AuditOutcome
  /** Why it was denied or failed: an error code, or what {@link auditReason} makes of a finer reason. */
  readonly reason: AuditReason | null
  readonly actorId: PrincipalId | null
  readonly actorName: string | null
  readonly targetType:
    'instance' | 'data_source' | 'ssh_key' | 'postgres_role' | 'principal' | 'secret' | 'key' | 'workspace' | null
  readonly targetId: string | null
  readonly targetName: string | null
  readonly sessionId: SessionId | null
  readonly requestId: string | null
  readonly peer: string | null
  readonly detail: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
}

/** What a caller has to say of a change; the rest is filled in as "not known". */
export type AuditEntry = Pick<AuditRecord, 'action' | 'outcome' | 'workspaceId'> & Partial<AuditRecord>

/** A reason that has a name inside of Postern (`role-of-another`), spelled like an error code: there is one spelling in the audit. */
export function auditReason(name: string): AuditReason {
  return name.toUpperCase().replaceAll(/[- ]/g, '_') as AuditReason
}

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
