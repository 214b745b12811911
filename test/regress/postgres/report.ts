import type { Comparison } from './compare-runs.ts'
import type { SuiteRun } from './own-suites.ts'
import type { PostgresTests } from './source-package.ts'

/** A suite that ran both ways. */
export interface SuiteOutcome {
  readonly runs: Readonly<Record<'direct' | 'gateway', SuiteRun>>
  readonly comparison: Comparison
}

/** The page docs/regress.md; not formatted yet. */
export function renderReport(options: {
  outcomes: readonly SuiteOutcome[]
  commit: string
  endedAt: Date
  tests: PostgresTests
}): string {
  const { outcomes, commit, endedAt, tests } = options
  const rows = outcomes.map(({ runs, comparison }) => [
    comparison.suite,
    comparison.tests,
    comparison.equal,
    comparison.differences.filter(({ explainedBy }) => explainedBy.length > 0).length,
    comparison.differences.filter(({ explainedBy }) => explainedBy.length === 0).length,
    `${runs.direct.asExpected.size} / ${runs.gateway.asExpected.size}`,
    `${runs.direct.seconds} / ${runs.gateway.seconds}`,
  ])
  const header = ['suite', 'tests', 'equal', 'explained', 'unexplained', 'as Postgres expects', 'seconds']
  return `# Postgres' own suites

Postgres' regression suite (\`parallel_schedule\`) and isolation suite, all tests, run twice against Debian's Postgres: directly,
and through the gateway with a database credential as the password; the results are compared byte by byte. \`npm run
regress:postgres\` writes this page. How it works: \`test/regress/postgres/\`.

Last run: ${endedAt.toISOString().slice(0, 10)}, commit ${commit}, Postgres ${tests.packageVersion}
(source archive sha256 \`${tests.sourceSha256}\`).

${table(header, rows)}

Pairs are direct / gateway. "As Postgres expects" counts the tests whose output is one of Postgres' own expectation files.

${differences(outcomes)}

${unexpectedResults(outcomes)}
`
}

function differences(outcomes: readonly SuiteOutcome[]): string {
  const rows = outcomes.flatMap(({ comparison: { suite, differences: all } }) =>
    all.map(({ test, explainedBy }) => [
      suite,
      test,
      explainedBy.length === 0 ? '**not explained**' : explainedBy.map(({ because }) => because).join('; '),
    ]),
  )
  if (rows.length === 0) return 'No result differs between the two ways.'
  return `Results that differ between the two ways:\n\n${table(['suite', 'test', 'because'], rows)}`
}

/** Tests that fail Postgres' own expectation, whichever way. */
function unexpectedResults(outcomes: readonly SuiteOutcome[]): string {
  const rows = outcomes.flatMap(({ comparison: { suite, unexpected } }) =>
    unexpected.map(({ test, ways, because }) => [suite, test, ways.join(' and '), because ?? '**not explained**']),
  )
  if (rows.length === 0) return "Every result of either way is one that Postgres' own files expect."
  const header = ['suite', 'test', 'way', 'because']
  return `Results that none of Postgres' own expectation files allows:\n\n${table(header, rows)}`
}

function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}
