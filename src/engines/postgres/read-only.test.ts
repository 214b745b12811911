import { describe, expect, it } from 'vitest'
import { requireReading } from './read-only.ts'
import { splitStatements } from './split-statements.ts'

function check(sql: string): ReturnType<typeof requireReading> {
  const [statement] = splitStatements(sql, () => false)
  if (statement === undefined) throw new Error('no statement')
  return requireReading(statement)
}

describe('a statement of a reader', () => {
  it.each([
    'select 1',
    '((select 1))',
    'WITH x AS (select 1) table x',
    'explain verbose select 1',
    'explain (analyze, buffers) (select 1)',
    'explain ((select 1))',
    'show all',
  ])('may be %s', (sql) => {
    expect(() => check(sql)).not.toThrow()
  })

  it.each([
    'commit',
    '( commit )',
    '"select" 1',
    'explain execute p',
    'explain analyze verbose create table x as select 1',
    'explain (analyze) refresh materialized view v',
    'explain show all',
    '/* select */ delete from t',
    'select U&"a"()',
  ])('may not be %s', (sql) => {
    expect(() => check(sql)).toThrow(expect.objectContaining({ code: 'STATEMENT_NOT_READ_ONLY' }))
  })

  it('gives away the names of what it calls, however it is written', () => {
    expect(check('select f(1), S . "G" /* - */ ( ), row.h, (x).i, count(*) from t where a in (1)')).toEqual({
      called: ['f', 'G', 'count', 'in'],
      attributes: ['h', 'i'],
    })
  })
})
