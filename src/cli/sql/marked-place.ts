import { printable } from '../printable.ts'

const LONGEST = 100

/** The line of a statement with a mark under the place of an error, as psql shows it. Both are counted from 1. */
export function markedPlace(statement: string, line: number, column: number): string {
  const text = statement.split('\n')[line - 1] ?? ''
  const from = Math.max(0, column - LONGEST / 2)
  const shown = printable(text.slice(from, from + LONGEST))
  // What could not be printed takes more room than it did.
  const before = printable(text.slice(from, column - 1))
  const heading = `LINE ${line}: `
  return `${heading}${shown}\n${' '.repeat(heading.length + before.length)}^`
}
