import type { SqlEvent } from '../../contract/sql.ts'
import { printable } from '../printable.ts'
import { renderTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { renderRecords } from './render-records.ts'
import type { ShowResults } from './show-results.ts'

type Cells = readonly (string | null)[]

/** Narrower than this, cells say too little: each row is then shown value by value. */
const READABLE_WIDTH = 12

/** Results as tables for people: each when it is complete, since its width depends on all of its rows. */
export class TableResults implements ShowResults {
  readonly #terminal: Terminal
  #columns: readonly { readonly name: string; readonly type: string }[] | undefined
  #rows: Cells[] = []

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  take(event: SqlEvent): void {
    switch (event.type) {
      case 'columns':
        this.#columns = event.columns
        return
      case 'rows':
        this.#rows.push(...event.rows)
        return
      case 'complete':
        return this.#complete(event.command, event.rowCount)
      case 'notice':
        return this.#terminal.note(`${printable(event.severity)}: ${printable(event.message)}`)
      case 'start':
      case 'progress':
      case 'error':
      case 'end':
        return
    }
  }

  finish(): void {
    // Cut by a limit or an error: what came is shown.
    if (this.#columns !== undefined && this.#rows.length > 0) this.#show(this.#columns)
  }

  #complete(command: string | null, rowCount: number | null): void {
    if (this.#columns === undefined) {
      this.#terminal.note([printable(command ?? 'done'), rowCount].filter((part) => part !== null).join(' '))
      return
    }
    this.#show(this.#columns)
    const count = rowCount ?? this.#shown
    this.#terminal.note(`(${count} ${count === 1 ? 'row' : 'rows'})`)
  }

  #shown = 0

  #show(columns: readonly { readonly name: string }[]): void {
    const rows = this.#rows
    this.#shown = rows.length
    this.#rows = []
    this.#columns = undefined
    if (columns.length === 0) return
    const width = this.#terminal.columns
    const isWide = width !== undefined && columns.length * (READABLE_WIDTH + 2) > width && !fits(columns, rows, width)
    const names = columns.map(({ name }) => name)
    if (isWide && rows.length > 0) return this.#terminal.print(renderRecords(names, rows, width))
    const cells = names.map((title, index) => ({
      title: printable(title),
      text: (row: Cells) => row[index] ?? 'NULL',
    }))
    this.#terminal.print(renderTable(rows, cells, width))
  }
}

function fits(columns: readonly { readonly name: string }[], rows: readonly Cells[], width: number): boolean {
  const needed = columns.map(({ name }, index) =>
    rows.reduce((widest, row) => Math.max(widest, (row[index] ?? 'NULL').length), name.length),
  )
  return needed.reduce((sum, each) => sum + each + 2, -2) <= width
}
