import type { PrincipalId, SessionId, WorkspaceId } from '../base/ids.ts'

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
  /** Why it was denied or failed: an error code or a denial reason. */
  readonly reason: string | null
  readonly actorId: PrincipalId | null
  readonly actorName: string | null
  readonly targetType: 'instance' | 'postgres_role' | 'principal' | 'secret' | 'key' | 'workspace' | null
  readonly targetId: string | null
  readonly targetName: string | null
  readonly sessionId: SessionId | null
  readonly requestId: string | null
  readonly peer: string | null
  readonly detail: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
}
