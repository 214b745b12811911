import type { AuditCheck } from './check-audit.ts'
import type { Tally } from './churn.ts'
import { bounds, type Sample, type Trend } from './process-samples.ts'

interface Facts {
  readonly minutes: number
  /** What was run, as Git names it. */
  readonly commit: string
  readonly endedAt: Date
  readonly tally: Tally
  readonly audit: AuditCheck
  readonly trends: readonly Trend[]
}

/** The result of a soak as docs/soak.md shows it. */
export function renderReport({ minutes, commit, endedAt, tally, audit, trends }: Facts): string {
  const { activities, unexpected, killedAt, cutByKills } = tally
  const isGood = unexpected.length === 0 && audit.problems.length === 0 && trends.every(({ isFlat }) => isFlat)
  const lines = [
    '# Soak',
    '',
    'What a Postern comes to that is used hard for a long time. `npm run soak -- --minutes 15` starts one with two gateway workers',
    'and a managed instance; four clients come and go, rightly and wrongly, while a worker is killed every 45 seconds. It writes',
    'this page. How it works: `test/soak/`.',
    '',
    `Last run: ${endedAt.toISOString().slice(0, 10)}, ${minutes} minutes, commit ${commit}, ${isGood ? 'good' : 'NOT good'}.`,
    '',
    '| activity | times |',
    '| --- | ---: |',
    ...[...activities]
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([name, times]) => `| ${name} | ${times} |`),
    `| gateway worker killed | ${killedAt.length} |`,
    '',
    `- Unexpected errors: ${unexpected.length}. Cut by a killed worker, as they must be: ${cutByKills}.`,
    `- Audit: ${audit.allowedLogins} allowed logins and ${audit.refusedLogins} refused ones, each with its record. ` +
      `Every allowed one has its start and its end, but for ${audit.endedByKills} whose worker was killed under them. ` +
      `Problems: ${audit.problems.length}.`,
    '- Memory (proportional set size without the shared buffers of Postgres), descriptors and processes, mean of the first third of the run and of the last:',
    '',
    '| | memory, MB | descriptors | processes | flat |',
    '| --- | ---: | ---: | ---: | --- |',
    ...trends.map(renderTrend),
    '',
    `Flat means: growth of at most ${bounds.share * 100} %, or ${bounds.memoryBytes / 1024 / 1024} MB, ` +
      `${bounds.descriptors} descriptors, ${bounds.processes} processes. A warm-up of a tenth of the run is left out. The gateway`,
    'worker is the one that is never killed.',
    '',
  ]
  return lines.join('\n')
}

function renderTrend({ name, first, last, isFlat }: Trend): string {
  const pair = (render: (sample: Sample) => string) => `${render(first)} → ${render(last)}`
  const cells = [
    pair(({ memoryBytes }) => (memoryBytes / 1024 / 1024).toFixed(1)),
    pair(({ descriptors }) => descriptors.toFixed(1)),
    pair(({ processes }) => processes.toFixed(1)),
    isFlat ? 'yes' : 'NO',
  ]
  return `| ${name} | ${cells.join(' | ')} |`
}
