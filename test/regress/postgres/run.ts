// Postgres' own regression and isolation suites, once directly and once through the gateway with a database credential, and
// every result compared. Everything is on loopback. The outcome is written to docs/regress.md; the exit code says whether
// every difference is explained.
//
//   npm run regress:postgres
//   npm run regress:postgres -- --suite regress --keep

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { format, resolveConfig } from 'prettier'
import { compareRuns } from './compare-runs.ts'
import { explainedDifferences } from './explained-differences.ts'
import { runSuite, type SuiteName, suiteDatabases, type SuiteRun } from './own-suites.ts'
import { renderReport, type SuiteOutcome } from './report.ts'
import { obtainPostgresTests } from './source-package.ts'
import { startBothLogins } from './both-logins.ts'

const major = '15'
const allSuites = ['regress', 'isolation'] as const satisfies readonly SuiteName[]

const { values } = parseArgs({ options: { suite: { type: 'string' }, keep: { type: 'boolean', default: false } } })
const suites = allSuites.filter((suite) => values.suite === undefined || values.suite === suite)
if (suites.length === 0) throw new Error(`--suite must be one of ${allSuites.join(', ')}`)

// Of the start: the checkout may be changed while it runs.
const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname })
  .toString()
  .trim()
const tests = obtainPostgresTests(`postgresql-${major}`)
console.log(`postgresql-${major} ${tests.packageVersion}, source sha256 ${tests.sourceSha256}`)
const home = mkdtempSync(join(tmpdir(), 'own-suites-'))
chmodSync(home, 0o755)
const logins = await startBothLogins(join('/usr/lib/postgresql', major, 'bin'), home, Object.values(suiteDatabases))
const outcomes: SuiteOutcome[] = []
try {
  for (const suite of suites) {
    const runs = {} as Record<'direct' | 'gateway', SuiteRun>
    for (const way of ['direct', 'gateway'] as const) {
      await logins.restore()
      const env = logins.environments[way]
      const run = await runSuite(suite, way, { tests, major, home, env })
      runs[way] = run
      console.log(`${suite}, ${way}: ${run.results.size} tests, ${run.asExpected.size} as expected, ${run.seconds} s`)
    }
    outcomes.push({ runs, comparison: compareRuns(suite, runs, explainedDifferences) })
  }
} finally {
  await logins.stop()
}
const page = join(import.meta.dirname, '../../../docs/regress.md')
const report = await format(renderReport({ outcomes, commit, endedAt: new Date(), tests }), {
  ...(await resolveConfig(page)),
  filepath: page,
})
console.log(report)
const isComplete = suites.length === allSuites.length
if (isComplete) writeFileSync(page, report)
let isGood = true
for (const { suite, differences, unexpected } of outcomes.map(({ comparison }) => comparison)) {
  for (const { test } of differences.filter(({ explainedBy }) => explainedBy.length === 0)) {
    isGood = false
    const files = ['direct', 'gateway'].map((way) => join(home, `${suite}-${way}/results/${test}.out`))
    console.log(`\nunexplained difference: ${suite} ${test}\n${diff(files)}`)
  }
  for (const { test, ways } of unexpected.filter(({ because }) => because === undefined)) {
    isGood = false
    console.log(`\nunexplained failure: ${suite} ${test}, ${ways.join(' and ')}`)
    for (const way of ways) {
      const files = [`${suite}-input/expected`, `${suite}-${way}/results`].map((folder) =>
        join(home, folder, `${test}.out`),
      )
      console.log(diff(files))
    }
  }
}
if (values.keep) console.log(`results: ${home}`)
else rmSync(home, { recursive: true, force: true })
process.exit(isGood ? 0 : 1)

/** `diff` ends with 1 where there is a difference, which is no failure here. */
function diff(files: readonly string[]): string {
  return execFileSync('sh', ['-c', 'diff -u "$@" | head -n 200', 'diff', ...files]).toString()
}
