import { describe, expect, test } from 'vitest'
import { displayWidth } from './printable.ts'
import { renderFields, renderTable, type Column } from './table.ts'

interface Item {
  readonly name: string
  readonly note: string | null
}
const columns: readonly Column<Item>[] = [
  { title: 'NAME', text: (item) => item.name, keep: true },
  { title: 'NOTE', text: (item) => item.note },
]

describe('a table', () => {
  test('lines its columns up and ends no line with spaces', () => {
    const items = [
      { name: 'a', note: null },
      { name: 'longer', note: 'x' },
    ]
    expect(renderTable(items, columns)).toBe('NAME    NOTE\na       -\nlonger  x')
  })

  test('takes one line per item on a terminal, and cuts nothing elsewhere', () => {
    const items = [{ name: 'a-name-to-copy', note: 'n'.repeat(100) }]
    const fitted = renderTable(items, columns, 40).split('\n')
    expect(fitted.map(displayWidth)).toEqual([20, 40])
    expect(fitted[1]).toBe(`a-name-to-copy  ${'n'.repeat(23)}…`)
    expect(renderTable(items, columns)).toContain('n'.repeat(100))
  })

  test('counts wide characters as the two columns that they take', () => {
    const items = [
      { name: '数据库', note: 'x' },
      { name: 'db', note: 'y' },
    ]
    expect(renderTable(items, columns)).toBe('NAME    NOTE\n数据库  x\ndb      y')
  })

  test('a name with escape sequences or line breaks cannot steer the terminal', () => {
    const items = [{ name: 'a\u001b[2J\u001b]0;owned\u0007', note: 'first\nsecond\u202egnp' }]
    const text = renderTable(items, columns)
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(text.split('\n')).toHaveLength(2)
    expect(text).toContain('a\\u001b[2J')
  })

  test('labels and values line up', () => {
    expect(
      renderFields([
        ['Name', 'x'],
        ['Created', null],
      ]),
    ).toBe('Name:     x\nCreated:  -')
  })
})
