import { expect, test } from 'vitest'
import { ERRORS } from '../base/error-table.ts'
import { EXIT_CODES, exitCode } from './exit-code.ts'

test('every failure of the error table has an exit status, and none is success', () => {
  for (const row of Object.values(ERRORS)) expect(exitCode(row.kind)).toBeGreaterThan(0)
})

test('no two kinds of failure share an exit status', () => {
  const statuses = Object.values(EXIT_CODES).map(({ status }) => status)
  expect(new Set(statuses).size).toBe(statuses.length)
})
