import { asPosternError, type ErrorCode } from '../base/errors.ts'
import type { DataSourceCheck, DataSourceRow } from '../store/data-sources.ts'
import { recordDataSourceCheck } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { SqlDependencies } from './sql-dependencies.ts'

/** For reaching a read-only data source when its health is asked for: a slow one is not the one to use. */
const CHECK_TIMEOUT_MS = 5_000

type CheckDependencies = Pick<SqlDependencies, 'store' | 'clock' | 'openSession'>

/**
 * Finds out whether a data source answers and how far it is behind its primary, and remembers that. A failure is a finding, not
 * an exception.
 */
export async function checkDataSource(
  deps: CheckDependencies,
  instance: InstanceRow,
  source: DataSourceRow,
): Promise<DataSourceCheck> {
  const checkedAt = deps.clock.now()
  const check = await look(deps, instance, source).then(
    (lagSeconds) => ({ checkedAt, ok: true, code: null, lagSeconds }),
    (thrown: unknown) => ({ checkedAt, ok: false, code: asPosternError(thrown).code, lagSeconds: null }),
  )
  await recordDataSourceCheck(deps.store.db, source.id, check)
  return check
}

/** Remembers that a data source did not answer when it was to be used. */
export async function recordFailedUse(deps: CheckDependencies, source: DataSourceRow, code: ErrorCode): Promise<void> {
  await recordDataSourceCheck(deps.store.db, source.id, {
    checkedAt: deps.clock.now(),
    ok: false,
    code,
    lagSeconds: null,
  })
}

async function look(deps: CheckDependencies, instance: InstanceRow, source: DataSourceRow): Promise<number | null> {
  const signal = AbortSignal.timeout(2 * CHECK_TIMEOUT_MS)
  const session = await deps.openSession(instance, source, {
    purpose: 'read_only',
    timeoutMs: CHECK_TIMEOUT_MS,
    signal,
  })
  try {
    const { replicaLagSeconds } = await session.checkPrivileges()
    return replicaLagSeconds
  } finally {
    await session.close()
  }
}
