import { expect, test } from 'vitest'
import { compareRuns } from './compare-runs.ts'
import type { ExplainedDifference } from './explained-differences.ts'
import type { SuiteRun } from './own-suites.ts'

const pids: ExplainedDifference = {
  suite: 'regress',
  test: 'async',
  pattern: /PID \d+/g,
  instead: 'PID n',
  because: 'every session has a process id of its own',
}

function run(results: Readonly<Record<string, string>>): SuiteRun {
  const names = Object.keys(results)
  return { results: new Map(Object.entries(results)), asExpected: new Set(names), seconds: 1 }
}

test('equal bytes are equal, and one other byte is a difference', () => {
  const direct = run({ int4: '42\n', text: 'a\n' })
  const gateway = run({ int4: '42\n', text: 'a \n' })
  const { tests, equal, differences } = compareRuns('regress', { direct, gateway }, [pids])
  expect({ tests, equal, differences }).toEqual({
    tests: 2,
    equal: 1,
    differences: [{ test: 'text', explainedBy: [] }],
  })
})

test('a row explains what it names, in its own test and nothing besides', () => {
  const explainedIn = (name: string, direct: string, gateway: string) =>
    compareRuns('regress', { direct: run({ [name]: direct }), gateway: run({ [name]: gateway }) }, [pids]).differences
  expect(explainedIn('async', 'PID 1\n', 'PID 2\n')).toEqual([{ test: 'async', explainedBy: [pids] }])
  expect(explainedIn('async', 'PID 1\n', 'PID 2 \n')).toEqual([{ test: 'async', explainedBy: [] }])
  expect(explainedIn('other', 'PID 1\n', 'PID 2\n')).toEqual([{ test: 'other', explainedBy: [] }])
})

test('a test that one way did not run is a difference, and one that fails both ways is not passed over', () => {
  const direct = run({ int4: '42\n', lost: '1\n' })
  const gateway = run({ int4: '42\n' })
  const broken = { ...direct, asExpected: new Set<string>() }
  expect(compareRuns('regress', { direct, gateway }, []).differences).toEqual([{ test: 'lost', explainedBy: [] }])
  expect(compareRuns('regress', { direct: broken, gateway: broken }, []).unexpected).toContainEqual({
    test: 'int4',
    ways: ['direct', 'gateway'],
    because: undefined,
  })
})
