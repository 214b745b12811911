import { requireTool } from './requirements.ts'
import { runProgram, startProgram, type ProgramEnd, type RunningProgram } from './running-program.ts'

/** Where and as whom a libpq program logs in; the names are libpq's. */
export interface LibpqTarget {
  /** Name that is sent by SNI and that the certificate is checked against. */
  readonly host: string
  /** Address to connect to, so that no name has to resolve. Default 127.0.0.1. */
  readonly hostaddr?: string
  readonly port: number
  readonly user: string
  readonly password?: string
  readonly database: string
  /** Default `verify-full` where there is a `sslrootcert`, else `require`. */
  readonly sslmode?: string
  readonly sslrootcert?: string
  /** Startup options such as `endpoint=sample`. */
  readonly options?: string
  readonly applicationName?: string
}

interface PsqlOptions {
  readonly input?: string
  readonly keepInputOpen?: boolean
  readonly timeoutMs?: number
}

/** Output without alignment or header, one row a line, and an exit code other than 0 at the first error. */
const plainOutput = ['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--set=ON_ERROR_STOP=1']

/** Runs one statement (or several, or a backslash command) with the real psql. */
export function psql(target: LibpqTarget, sql: string, options: PsqlOptions = {}): Promise<ProgramEnd> {
  return runLibpqProgram('psql', target, [...plainOutput, '--command', sql], options)
}

/** Starts psql and leaves it running: a long statement, a session that is typed into, Ctrl-C by `signal('SIGINT')`. */
export function startPsql(target: LibpqTarget, args: readonly string[], options: PsqlOptions = {}): RunningProgram {
  const env = libpqEnvironment(target)
  return startProgram(requireTool('psql'), [...plainOutput, ...args], { env, ...options })
}

/** Runs psql or pgbench with these arguments and nothing of the caller's own libpq settings. */
export function runLibpqProgram(
  program: 'psql' | 'pgbench',
  target: LibpqTarget,
  args: readonly string[],
  options: PsqlOptions = {},
): Promise<ProgramEnd> {
  return runProgram(requireTool(program), args, { env: libpqEnvironment(target), ...options })
}

/** The environment variables of libpq for a target. The password is never an argument. */
export function libpqEnvironment(target: LibpqTarget): Record<string, string> {
  const sslmode = target.sslmode ?? (target.sslrootcert === undefined ? 'require' : 'verify-full')
  return {
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    PGHOST: target.host,
    PGHOSTADDR: target.hostaddr ?? '127.0.0.1',
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    PGSSLMODE: sslmode,
    PGGSSENCMODE: 'disable',
    PGCONNECT_TIMEOUT: '20',
    ...(target.password !== undefined && { PGPASSWORD: target.password }),
    ...(target.sslrootcert !== undefined && { PGSSLROOTCERT: target.sslrootcert }),
    ...(target.options !== undefined && { PGOPTIONS: target.options }),
    ...(target.applicationName !== undefined && { PGAPPNAME: target.applicationName }),
  }
}
