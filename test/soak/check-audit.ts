import type { Forge } from '../support/forge.ts'
import type { Tally } from './churn.ts'

/** Whether the audit tells the whole story. */
export interface AuditCheck {
  readonly allowedLogins: number
  readonly refusedLogins: number
  /** Sessions whose worker was killed under them: nobody was left to record their end. */
  readonly endedByKills: number
  readonly problems: readonly string[]
}

/** No session of a soak lasts longer. */
const longestSessionMs = 30_000

interface SessionRow {
  readonly session_id: string
  readonly logged_in_at: Date
  readonly has_start: boolean
  readonly has_end: boolean
}

/** Every allowed login has its start and its end; every session that a client had is there. */
export async function checkAudit(forge: Forge, tally: Tally): Promise<AuditCheck> {
  const { pool } = forge.store
  const { rows: sessions } = await pool.query<SessionRow>(`
    select session_id, min(occurred_at) filter (where action = 'login') as logged_in_at,
      bool_or(action = 'session.start') as has_start, bool_or(action = 'session.end') as has_end
    from audit_event where session_id is not null
    group by session_id having bool_or(action = 'login' and outcome = 'allowed')`)
  const { rows: names } = await pool.query<{ name: string }>(
    `select detail->>'applicationName' as name from audit_event where action = 'session.start'`,
  )
  const { rows: refused } = await pool.query<{ count: string }>(
    `select count(*) from audit_event where action = 'login' and outcome = 'denied'`,
  )
  const wasCut = (at: Date) =>
    tally.killedAt.some((killed) => at <= killed && killed.getTime() - at.getTime() < longestSessionMs)
  const incomplete = sessions.filter((session) => !session.has_start || !session.has_end)
  const unexplained = incomplete.filter((session) => !wasCut(session.logged_in_at))
  const recorded = new Set(names.map(({ name }) => name))
  const missing = [...tally.opened].filter((name) => !recorded.has(name))
  const problems = unexplained.map(({ session_id }) => `session ${session_id} has no end in the audit`)
  // A worker that is killed may take the start of a session with it, never its login.
  if (missing.length > tally.cutByKills) problems.push(`${missing.length} sessions have no start in the audit`)
  if (sessions.length < tally.opened.size)
    problems.push(`${tally.opened.size - sessions.length} logins are not recorded`)
  return {
    allowedLogins: sessions.length,
    refusedLogins: Number(refused[0]?.count),
    endedByKills: incomplete.length - unexplained.length,
    problems,
  }
}
