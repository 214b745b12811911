import { interleave, type Load } from '../interleaved.ts'
import type { Effort } from '../effort.ts'
import type { Stage } from '../stage.ts'
import type { Way } from '../way.ts'
import { copyIn, copyOut } from './copy-rows.ts'
import { mint, verify } from './credential-rows.ts'
import { logins, selects, tpcb } from './pgbench-rows.ts'
import { secretFetches } from './secret-row.ts'
import { fakeLogins, idleMemory } from './session-rows.ts'
import { start } from './start-row.ts'

type Measure = (stage: Stage, effort: Effort) => Promise<unknown>

/** Every row of the bench, in the order in which they run. */
export const rows = {
  'select-1': pgbench('query', selects(1)),
  'select-8': pgbench('query', selects(8)),
  'select-32': pgbench('query', selects(32)),
  'tpcb-8': pgbench('transaction', tpcb(8)),
  'copy-out': copyOut('wide', 'psql'),
  'copy-out-narrow': copyOut('pgbench_accounts', 'psql'),
  'copy-out-raw': copyOut('wide', 'raw'),
  'copy-out-narrow-raw': copyOut('pgbench_accounts', 'raw'),
  'copy-in': copyIn,
  logins: fakeLogins,
  'logins-postgres': pgbench('login', logins(4)),
  idle: idleMemory,
  verify,
  mint,
  secrets: secretFetches,
  start,
} as const satisfies Readonly<Record<string, Measure>>

export type RowName = keyof typeof rows

export const rowNames = Object.keys(rows) as readonly RowName[]

function pgbench(unit: string, load: (way: Way, seconds: number) => Promise<Load>) {
  return (stage: Stage, { rounds, seconds }: Effort) =>
    interleave(unit, rounds, stage.ways, (way) => load(way, seconds))
}
