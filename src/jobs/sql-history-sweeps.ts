import { sweepSqlHistory } from '../sql/history.ts'
import { Repeated } from './repeated.ts'

const SWEEP_MS = 30 * 60_000

/** Forgets what people ran once the retention is over. Any number of nodes may do it. */
export function sqlHistorySweeps(
  deps: Parameters<typeof sweepSqlHistory>[0] & { readonly logger: { error(fields: object, text: string): void } },
  retentionDays: number,
): Repeated {
  const sweep = (): Promise<void> => sweepSqlHistory(deps, retentionDays)
  return new Repeated(SWEEP_MS, sweep, deps.logger, 'the SQL history could not be swept')
}
