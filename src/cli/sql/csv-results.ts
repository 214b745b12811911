import type { SqlEvent } from '../../contract/sql.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import type { ShowResults } from './show-results.ts'

/**
 * Rows as CSV (RFC 4180) as they come, under a line of names; an empty line between two results. NULL is nothing, an empty text
 * is `""`. Text goes to a file as it is; to a terminal so that it cannot steer it.
 */
export class CsvResults implements ShowResults {
  readonly #terminal: Terminal
  #isFirst = true

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  take(event: SqlEvent): void {
    if (event.type === 'columns') {
      if (!this.#isFirst) this.#terminal.print('')
      this.#isFirst = false
      this.#print(event.columns.map(({ name }) => name))
    } else if (event.type === 'rows') for (const row of event.rows) this.#print(row)
    else if (event.type === 'notice') this.#terminal.note(`${printable(event.severity)}: ${printable(event.message)}`)
  }

  finish(): void {
    // Everything was written when it came.
  }

  #print(cells: readonly (string | null)[]): void {
    const line = cells.map(quoted).join(',')
    this.#terminal.print(this.#terminal.columns === undefined ? line : printable(line))
  }
}

function quoted(cell: string | null): string {
  if (cell === null) return ''
  return cell === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
