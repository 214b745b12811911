import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { SessionPurpose } from '../engine.ts'

const OWN_STATEMENT_MS = 15_000
const OWN_LOCK_MS = 5_000

/**
 * Statements that make a session fit for Postern's own work. It must not depend on what the database's users set or made: a
 * function of theirs must not run in our statements. The owner of a database may set a role for whoever enters it; we work as
 * the user that logged in, and as nobody else. Everything is bounded, so that a stuck server cannot hold us.
 */
export function safeSession(route: DataSourceRoute, purpose: SessionPurpose): string {
  const statementMs = shorter(OWN_STATEMENT_MS, milliseconds(route, 'statement_timeout'))
  const lockMs = milliseconds(route, 'lock_timeout') ?? OWN_LOCK_MS
  const readOnly = purpose === 'read_only' ? 'on' : 'off'
  // Redshift grew out of PostgreSQL 8.0: it has neither SET ROLE, nor a limit for locks and idle transactions.
  if (route.engine === 'redshift') {
    return `set session authorization default; set search_path = pg_catalog; set statement_timeout = ${statementMs}`
  }
  return `
    set session authorization default;
    set role none;
    set default_transaction_read_only = ${readOnly};
    set search_path = pg_catalog, pg_temp;
    set standard_conforming_strings = on;
    set statement_timeout = ${statementMs};
    set lock_timeout = ${lockMs};
    set idle_in_transaction_session_timeout = '30s'`
}

/** Statements that hand the session to somebody's SQL: the search path of the database again, and his time limit. */
export function sessionForStatements(route: DataSourceRoute, timeoutMs: number): string {
  const own = `reset search_path; set statement_timeout = ${statementLimitMs(route, timeoutMs)}`
  if (route.engine === 'redshift') return own
  const lockMs = milliseconds(route, 'lock_timeout')
  return `${own}; ${lockMs === undefined ? 'reset lock_timeout' : `set lock_timeout = ${lockMs}`}`
}

/** What the server is told for each statement of a call that has `timeoutMs` altogether. */
export function statementLimitMs(route: DataSourceRoute, timeoutMs: number): number {
  return Math.max(1, Math.ceil(shorter(timeoutMs, milliseconds(route, 'statement_timeout'))))
}

function milliseconds(route: DataSourceRoute, name: 'statement_timeout' | 'lock_timeout'): number | undefined {
  const text = route.extraParameters[name]
  return text === undefined ? undefined : Number(text)
}

/** 0 is Postgres' way to say that there is no limit. */
function shorter(limitMs: number, chosenMs: number | undefined): number {
  return chosenMs === undefined || chosenMs === 0 ? limitMs : Math.min(limitMs, chosenMs)
}
