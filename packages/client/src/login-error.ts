/** Why a login was refused, for programs to decide by. */
export type LoginErrorReason =
  /** The credential has ended: the next one logs in. */
  | 'expired'
  /** The credential is for other instances. */
  | 'wrong-instance'
  /** The principal has no Postgres role there, or not this one. */
  | 'no-role'
  /** The Postgres role is that of a group, and the principal is no member of it. */
  | 'not-a-member'
  /** The principal is deactivated. */
  | 'inactive'
  /** The Postgres role is not the one that was bound: a DBA has to repair it. */
  | 'role-drifted'
  /** A credential for reading, and no standby to read from. */
  | 'read-only-unavailable'
  /** There is no such instance or database. */
  | 'not-found'
  /** The instance, the gateway or the way to the database is not there now: worth another try. */
  | 'unavailable'
  /** The session was not encrypted. */
  | 'tls-required'
  /** Refused without a reason: what was sent is no credential of this Postern, or native login is off. */
  | 'refused'

/** A refused login. */
export interface LoginError {
  readonly reason: LoginErrorReason
  readonly sqlstate: string
  readonly message: string
  /** What to do next, as the gateway says it. */
  readonly hint: string | undefined
  /** Whether the same login may succeed in a moment, with a fresh credential. */
  readonly isRetryable: boolean
}

/** Codes of Postern, which its gateway sends as the routine of an error. */
const reasons: Readonly<Record<string, LoginErrorReason>> = {
  CREDENTIAL_EXPIRED: 'expired',
  CREDENTIAL_WRONG_INSTANCE: 'wrong-instance',
  ROLE_NOT_BOUND: 'no-role',
  NOT_A_MEMBER: 'not-a-member',
  PRINCIPAL_INACTIVE: 'inactive',
  ROLE_DRIFTED: 'role-drifted',
  READ_ONLY_UNAVAILABLE: 'read-only-unavailable',
  INSTANCE_NOT_FOUND: 'not-found',
  DATABASE_NOT_FOUND: 'not-found',
  INSTANCE_NOT_AVAILABLE: 'unavailable',
  TLS_REQUIRED: 'tls-required',
  AUTHENTICATION_FAILED: 'refused',
}

const retryable = new Set<LoginErrorReason>(['expired', 'unavailable'])

/**
 * What a failed login means, from the error that node-postgres or postgres.js threw; undefined for every other error.
 * Nothing is read from the text: the SQLSTATE tells a refused login, the code of Postern why.
 */
export function loginErrorOf(error: unknown): LoginError | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, routine, message, hint, severity } = error as Readonly<Record<string, unknown>>
  if (typeof code !== 'string' || severity !== 'FATAL') return undefined
  const reason = (typeof routine === 'string' ? reasons[routine] : undefined) ?? reasonOfState(code)
  if (reason === undefined) return undefined
  return {
    reason,
    sqlstate: code,
    message: typeof message === 'string' ? message : '',
    hint: typeof hint === 'string' ? hint : undefined,
    isRetryable: retryable.has(reason),
  }
}

/** Classes of appendix A of the PostgreSQL documentation. */
function reasonOfState(sqlstate: string): LoginErrorReason | undefined {
  if (sqlstate === '3D000') return 'not-found'
  if (sqlstate === '57P03' || sqlstate.startsWith('08') || sqlstate.startsWith('53')) return 'unavailable'
  return sqlstate.startsWith('28') ? 'refused' : undefined
}
