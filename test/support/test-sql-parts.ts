import { LoginFactsReader } from '../../src/access/login-facts-reader.ts'
import { openDataSource } from '../../src/access/open-data-source.ts'
import { RunningExecutions } from '../../src/sql/running-executions.ts'
import type { SqlDependencies } from '../../src/sql/sql-dependencies.ts'

/** What running SQL needs beyond the rest of the control plane, as a process composes it. */
export function testSqlParts({
  store,
  clock,
  masterKey,
  dialer,
}: Pick<SqlDependencies, 'store' | 'clock' | 'masterKey' | 'dialer'>): Pick<
  SqlDependencies,
  'openSession' | 'loginFacts' | 'peerSocketRoot' | 'sqlLimits' | 'sqlRunning'
> {
  return {
    openSession: (instance, source, options) => openDataSource({ masterKey, dialer }, instance, source, options),
    loginFacts: new LoginFactsReader({ pool: store.pool, clock, deadlineMs: 3_000, rememberSeconds: 0 }),
    peerSocketRoot: '/nonexistent',
    sqlLimits: {
      defaultRows: 1_000,
      maxRows: 100_000,
      defaultBytes: 1024 * 1024,
      maxBytes: 64 * 1024 * 1024,
      defaultTimeoutSeconds: 30,
      maxTimeoutSeconds: 600,
    },
    sqlRunning: new RunningExecutions(20),
  }
}
