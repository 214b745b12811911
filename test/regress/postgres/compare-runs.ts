import { explainedFailures, type ExplainedDifference } from './explained-differences.ts'
import type { SuiteName, SuiteRun } from './own-suites.ts'

/** A test whose two results are not the same bytes. */
export interface Difference {
  readonly test: string
  /** The rows that take it away; empty when it is not explained. */
  readonly explainedBy: readonly ExplainedDifference[]
}

/** A test whose output is none of Postgres' own expectation files. */
interface Unexpected {
  readonly test: string
  readonly ways: readonly ('direct' | 'gateway')[]
  readonly because: string | undefined
}

/** What came of a suite that ran both ways. */
export interface Comparison {
  readonly suite: SuiteName
  readonly tests: number
  readonly equal: number
  readonly differences: readonly Difference[]
  readonly unexpected: readonly Unexpected[]
}

/** Compares the results of a suite test by test; a test that only one way ran is a difference. */
export function compareRuns(
  suite: SuiteName,
  { direct, gateway }: { direct: SuiteRun; gateway: SuiteRun },
  explained: readonly ExplainedDifference[],
): Comparison {
  const tests = [...new Set([...direct.results.keys(), ...gateway.results.keys()])]
  const differences = tests.flatMap((test): Difference[] => {
    const [one, other] = [direct.results.get(test), gateway.results.get(test)]
    if (one === other) return []
    if (one === undefined || other === undefined) return [{ test, explainedBy: [] }]
    const rows = explained.filter((row) => row.suite === suite && row.test === test)
    const without = (text: string) => rows.reduce((all, { pattern, instead }) => all.replaceAll(pattern, instead), text)
    return [{ test, explainedBy: without(one) === without(other) ? rows : [] }]
  })
  const unexpected = tests.flatMap((test): Unexpected[] => {
    const ways = (['direct', 'gateway'] as const).filter((way) => !{ direct, gateway }[way].asExpected.has(test))
    const because = explainedFailures.find((row) => row.suite === suite && row.test === test)?.because
    return ways.length === 0 ? [] : [{ test, ways, because }]
  })
  return { suite, tests: tests.length, equal: tests.length - differences.length, differences, unexpected }
}
