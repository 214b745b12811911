import { interleave, type Load } from '../interleaved.ts'
import type { Effort } from '../effort.ts'
import type { Stage } from '../stage.ts'
import type { Way } from '../way.ts'
import { copyIn, copyOut, prepareCopy, removeCopyFile } from './copy-rows.ts'
import { mint, verify } from './credential-rows.ts'
import { logins, selects, tpcb } from './pgbench-rows.ts'
import { fakeLogins, idleMemory } from './session-rows.ts'
import { start } from './start-row.ts'

type Measure = (stage: Stage, effort: Effort) => Promise<unknown>

/** Every row of the bench, in the order in which they run. */
export const rows = {
  'select-1': pgbench('query', selects(1)),
  'select-8': pgbench('query', selects(8)),
  'select-32': pgbench('query', selects(32)),
  'tpcb-8': pgbench('transaction', tpcb(8)),
  'copy-out': copy(copyOut),
  'copy-in': copy(copyIn),
  logins: fakeLogins,
  'logins-postgres': pgbench('login', logins(4)),
  idle: idleMemory,
  verify,
  mint,
  start,
} as const satisfies Readonly<Record<string, Measure>>

export type RowName = keyof typeof rows

export const rowNames = Object.keys(rows) as readonly RowName[]

function pgbench(unit: string, load: (way: Way, seconds: number) => Promise<Load>) {
  return (stage: Stage, { rounds, seconds }: Effort) =>
    interleave(unit, rounds, stage.ways, (way) => load(way, seconds))
}

function copy(load: (way: Way) => Promise<Load>) {
  return async (stage: Stage, { rounds }: Effort) => {
    try {
      for (const way of stage.ways.filter(({ name }) => name === 'direct')) await prepareCopy(way)
      return await interleave('MB', rounds, stage.ways, load)
    } finally {
      removeCopyFile()
    }
  }
}
