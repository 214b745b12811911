import { parseArgs } from 'node:util'
import type { Effort } from './effort.ts'
import { type RowName, rowNames } from './rows/all-rows.ts'

export interface BenchOptions extends Effort {
  readonly rows: readonly RowName[]
  readonly jsonFile: string
}

export const usage = `npm run bench -- [options]
  --rows a,b       only these: ${rowNames.join(', ')}
  --seconds N      length of one measurement (default 5)
  --rounds N       how often every way is measured, in turn (default 5)
  --sessions N     idle sessions whose memory is weighed (default 5000)
  --json FILE      where the figures go (default bench/last-run.json)`

/** @throws Error for what it does not know */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '5' },
      sessions: { type: 'string', default: '5000' },
      json: { type: 'string', default: 'bench/last-run.json' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    rows: values.rows?.split(',').map(rowNamed) ?? rowNames,
    seconds: positive(values.seconds),
    rounds: positive(values.rounds),
    sessions: positive(values.sessions),
    jsonFile: values.json,
  }
}

function rowNamed(name: string): RowName {
  const row = rowNames.find((each) => each === name)
  if (row === undefined) throw new Error(`no such row: ${name}`)
  return row
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`not a number above 0: ${text}`)
  return value
}
