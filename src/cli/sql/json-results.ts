import type { SqlEvent } from '../../contract/sql.ts'
import type { Terminal } from '../terminal.ts'
import type { ShowResults } from './show-results.ts'

interface Result {
  columns: readonly { readonly name: string; readonly type: string }[]
  rows: (readonly (string | null)[])[]
  command: string | null
  rowCount: number | null
}

/** Everything as one JSON object: where it ran, each result, notices, the error if any, and how it ended. */
export class JsonResults implements ShowResults {
  readonly #terminal: Terminal
  readonly #results: Result[] = []
  readonly #notices: { severity: string; message: string }[] = []
  readonly #rest: Record<string, unknown> = {}
  #open: Result | undefined

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  take(event: SqlEvent): void {
    const { type, ...fields } = event
    switch (event.type) {
      case 'columns':
        this.#begin(event.columns)
        return
      case 'rows':
        this.#open?.rows.push(...event.rows)
        return
      case 'complete': {
        const result = this.#open ?? this.#begin([])
        result.command = event.command
        result.rowCount = event.rowCount
        this.#open = undefined
        return
      }
      case 'notice':
        this.#notices.push({ severity: event.severity, message: event.message })
        return
      case 'progress':
        return
      case 'start':
      case 'error':
      case 'end':
        this.#rest[type] = fields
    }
  }

  finish(): void {
    const { start, error = null, end } = this.#rest
    const answer = { start, results: this.#results, notices: this.#notices, error, end }
    this.#terminal.print(JSON.stringify(answer, null, 2))
  }

  #begin(columns: Result['columns']): Result {
    const result: Result = { columns, rows: [], command: null, rowCount: null }
    this.#results.push(result)
    this.#open = result
    return result
  }
}
