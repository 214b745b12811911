import { expect, it } from 'vitest'
import { statementKind } from './statement-kind.ts'

it.each([
  ['select 1', 'SELECT'],
  ['  /* a */ -- b\n (SELECT 1)', 'SELECT'],
  ['# mysql\ninsert into t values (1)', 'INSERT'],
  [`create role r login password 'x'`, 'CREATE'],
  ['', 'OTHER'],
  [`'a secret' select`, 'OTHER'],
  ['hunter2', 'OTHER'],
  ['selected', 'OTHER'],
])('of %j the audit says %s', (statement, kind) => {
  expect(statementKind(statement)).toBe(kind)
})

it('takes no time for a long run of comments', () => {
  expect(statementKind(`${'/* */ '.repeat(50_000)}select 1`)).toBe('SELECT')
  expect(statementKind('/*'.repeat(100_000))).toBe('OTHER')
})
