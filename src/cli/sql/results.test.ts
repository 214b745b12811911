import { describe, expect, it } from 'vitest'
import { recordedTerminal } from '../../../test/support/recorded-terminal.ts'
import type { SqlEvent } from '../../contract/sql.ts'
import { CsvResults } from './csv-results.ts'
import { markedPlace } from './marked-place.ts'
import { TableResults } from './table-results.ts'

const columns = (...names: string[]): SqlEvent => ({
  type: 'columns',
  columns: names.map((name) => ({ name, type: 'text' })),
})
const rows = (...values: (string | null)[][]): SqlEvent => ({ type: 'rows', rows: values })
const complete: SqlEvent = { type: 'complete', command: 'SELECT', rowCount: 2 }

describe('a result on a terminal', () => {
  it('is a table where it fits', () => {
    const terminal = recordedTerminal({ columns: 60 })
    const results = new TableResults(terminal.terminal)
    for (const event of [columns('id', 'name'), rows(['1', 'anvil'], ['2', null]), complete]) results.take(event)
    results.finish()
    expect(terminal.output()).toBe('id  name\n1   anvil\n2   NULL')
    expect(terminal.notes()).toContain('(2 rows)')
  })

  it('is shown value by value where it is too wide, and no line is wider than the terminal', () => {
    const terminal = recordedTerminal({ columns: 60 })
    const results = new TableResults(terminal.terminal)
    const names = Array.from({ length: 12 }, (_, index) => `a_rather_long_column_${index}`)
    results.take(columns(...names))
    results.take(rows(names.map(() => 'x'.repeat(100))))
    results.take(complete)
    results.finish()
    const lines = terminal.output().split('\n')
    expect(lines).toHaveLength(13)
    expect(lines[0]).toMatch(/^─ row 1 ─+$/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60)
  })

  it('cannot steer it: control characters of a value are spelled out', () => {
    const terminal = recordedTerminal({ columns: 60 })
    const results = new TableResults(terminal.terminal)
    for (const event of [columns('\u001b[2J'), rows(['\u001b]0;owned\u0007']), complete]) results.take(event)
    results.finish()
    expect(terminal.output()).not.toContain('\u001b')
  })
})

it('CSV quotes what needs it, and tells NULL from nothing', () => {
  const terminal = recordedTerminal()
  const results = new CsvResults(terminal.terminal)
  for (const event of [columns('a', 'b'), rows(['x,"y"\nz', null], ['', '1']), complete]) results.take(event)
  results.finish()
  expect(terminal.output()).toBe('a,b\n"x,""y""\nz",\n"",1')
})

it('an error is marked under its place, in a long line too', () => {
  expect(markedPlace('select 1,\n  nonsense', 2, 3)).toBe('LINE 2:   nonsense\n          ^')
  const [line, mark] = markedPlace(`select ${'1 + '.repeat(200)}nonsense`, 1, 808).split('\n')
  expect(line!.slice(mark!.indexOf('^'))).toBe('nonsense')
})
