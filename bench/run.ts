// `npm run bench`: Postern beside its peers, and against its budgets. README.md in this folder says how to read it.

import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { readOptions, usage } from './options.ts'
import { budgetTable, figureTable } from './report.ts'
import { rows } from './rows/all-rows.ts'
import { withStage } from './stage.ts'

const options = readOptions(process.argv.slice(2))
if (options === 'help') {
  console.log(usage)
} else {
  const figures: Record<string, unknown> = {}
  const machine = { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), platform: process.platform }
  await withStage(async (stage) => {
    for (const row of options.rows) {
      const startedAt = performance.now()
      figures[row] = await rows[row](stage, options)
      console.error(`${row}: measured in ${Math.round((performance.now() - startedAt) / 1000)} s`)
      const { rounds, seconds, sessions } = options
      writeFileSync(options.jsonFile, `${JSON.stringify({ machine, rounds, seconds, sessions, figures }, null, 2)}\n`)
    }
  })
  console.log(`${figureTable(figures)}\n\n${budgetTable(figures)}\n\n${options.jsonFile}`)
}
