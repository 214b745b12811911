// Many small sessions for a long time: whether anything grows, gets lost or fails that should not. Everything is on loopback
// and bounded: four clients. The result is written to docs/soak.md, and the exit code says whether it is good.
//
//   npm run soak -- --minutes 15

import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openForge } from '../support/forge.ts'
import { controlProcess, descendants, gatewayProcesses, postmaster } from '../support/processes.ts'
import { startDemo } from '../support/running-postern.ts'
import { checkAudit } from './check-audit.ts'
import { Churn } from './churn.ts'
import { type Sample, sample, trend } from './process-samples.ts'
import { renderReport } from './report.ts'

const sampleEveryMs = 2_000
const killEveryMs = 45_000
const settleMs = 3_000
const longestMinutes = 120

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '15' } } })
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= longestMinutes)) throw new Error(`--minutes must be between 0 and ${longestMinutes}`)

// Of the start: the checkout may be changed while it runs.
const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname })
  .toString()
  .trim()
const postern = await startDemo({
  flags: ['--gateway-workers', '2', '--drain-timeout-seconds', '5', '--log-level', 'warn'],
  lifetimeMs: (minutes + 5) * 60_000,
})
const forge = await openForge(postern)
const churn = new Churn(postern, forge)
const series = new Map<string, Sample[]>()
let isGood = false
try {
  // The second one is killed now and then; the first one lives through all of it.
  const [steady] = gatewayProcesses(postern.pid)
  await churn.start()
  const startedAt = Date.now()
  let nextKillAt = startedAt + killEveryMs
  while (Date.now() - startedAt < minutes * 60_000) {
    takeSamples(steady as number)
    if (Date.now() > nextKillAt) {
      nextKillAt += killEveryMs
      const victim = gatewayProcesses(postern.pid).find((pid) => pid !== steady)
      if (victim !== undefined) {
        churn.noteKill()
        process.kill(victim, 'SIGKILL')
      }
    }
    await sleep(sampleEveryMs)
  }
  await churn.stop()
  await sleep(settleMs)
  const audit = await checkAudit(forge, churn.tally)
  const trends = [...series].map(([name, samples]) => trend(name, samples))
  const report = renderReport({ minutes, commit, endedAt: new Date(), tally: churn.tally, audit, trends })
  const { unexpected } = churn.tally
  isGood = unexpected.length === 0 && audit.problems.length === 0 && trends.every(({ isFlat }) => isFlat)
  console.log(report)
  for (const line of [...unexpected, ...audit.problems].slice(0, 50)) console.log(line)
  writeFileSync(join(import.meta.dirname, '../../docs/soak.md'), report)
} finally {
  await forge.close()
  const { code, stdout, stderr } = await postern.stop()
  if (code !== 0) console.log(`Postern ended with ${code}`)
  console.log(`${stdout}${stderr}`.split('\n').slice(-30).join('\n'))
}
process.exit(isGood ? 0 : 1)

function takeSamples(steadyWorker: number): void {
  const instances = join(postern.dataDir, 'instances')
  const server = (home: string) => {
    const pid = postmaster(home)
    return [pid, ...descendants(pid)]
  }
  const kinds: Record<string, number[]> = {
    supervisor: [postern.pid],
    'control plane': [controlProcess(postern.pid) ?? 0],
    'gateway worker': [steadyWorker],
    'metadata Postgres': server(join(postern.dataDir, 'metadata')),
    'Postgres of the instance': server(join(instances, readdirSync(instances)[0] as string)),
  }
  for (const [name, pids] of Object.entries(kinds)) {
    series.set(name, [...(series.get(name) ?? []), sample(pids)])
  }
}
