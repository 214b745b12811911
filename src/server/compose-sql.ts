import { randomUUID } from 'node:crypto'
import { LoginFactsReader } from '../access/login-facts-reader.ts'
import { openDataSource } from '../access/open-data-source.ts'
import type { OpenSession } from '../catalog/catalog-dependencies.ts'
import { CatalogueSyncs } from '../jobs/catalogue-syncs.ts'
import { SqlRoleAttendance } from '../jobs/sql-role-attendance.ts'
import { sqlHistorySweeps } from '../jobs/sql-history-sweeps.ts'
import { RunningExecutions } from '../sql/running-executions.ts'
import type { SqlDependencies } from '../sql/sql-dependencies.ts'
import type { ChildBootstrap } from './child-messages.ts'
import type { SharedParts } from './compose.ts'

/** What the control plane needs to run SQL and to read catalogues, and the jobs behind them. */
export interface SqlParts {
  readonly deps: Pick<SqlDependencies, 'openSession' | 'loginFacts' | 'peerSocketRoot' | 'sqlLimits' | 'sqlRunning'>
  /** Begins the jobs of this node. */
  start(): Promise<void>
  /** Takes no new work, and lets statements go on for as long. */
  close(patienceMs: number): Promise<void>
}

/** Builds them from the parts that both roles share. */
export function composeSql(shared: SharedParts, { config, socketRoot, nodeId }: ChildBootstrap): SqlParts {
  const openSession: OpenSession = (instance, source, options) => openDataSource(shared, instance, source, options)
  const sqlRunning = new RunningExecutions(config.sqlMaxConcurrent)
  const syncs = new CatalogueSyncs({ ...shared, openSession, holder: randomUUID() }, config.catalogueSyncs)
  const sweeps = sqlHistorySweeps(shared, config.sqlHistoryDays)
  const sqlRoles = new SqlRoleAttendance(shared, shared.logger, nodeId)
  let unfollow: (() => Promise<void>) | undefined
  return {
    deps: {
      openSession,
      loginFacts: new LoginFactsReader({
        pool: shared.store.pool,
        clock: shared.clock,
        // A request has time, and nothing is remembered here: without the store no statement could be recorded either.
        deadlineMs: 3_000,
        rememberSeconds: 0,
      }),
      peerSocketRoot: socketRoot,
      sqlLimits: {
        defaultRows: config.sqlDefaultRows,
        maxRows: config.sqlMaxRows,
        defaultBytes: config.sqlDefaultBytes,
        maxBytes: config.sqlMaxBytes,
        defaultTimeoutSeconds: config.sqlDefaultTimeoutSeconds,
        maxTimeoutSeconds: config.sqlMaxTimeoutSeconds,
      },
      sqlRunning,
    },
    async start() {
      unfollow = await sqlRunning.follow(shared.store)
      await syncs.start()
      sweeps.start()
      await sqlRoles.start()
    },
    async close(patienceMs) {
      setTimeout(() => sqlRunning.cancelAll(), patienceMs).unref()
      sweeps.stop()
      await unfollow?.()
      await syncs.close()
      await sqlRoles.close()
    },
  }
}
