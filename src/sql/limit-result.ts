import type { SqlTruncation } from '../store/sql-executions.ts'
import type { Cell, QueryEvent } from '../engines/query-events.ts'

/** Notices that are passed on; a loop in the database can make any number of them. */
const NOTICES_MAX = 1_000
const NOTICE_CHARACTERS_MAX = 8 * 1024

/** Keeps count of a result, and cuts it where a limit is reached. */
export class ResultLimit {
  rows = 0
  bytes = 0
  /** Undefined: nothing was left out so far. */
  truncated: Exclude<SqlTruncation, 'time'> | undefined
  readonly #maxRows: number
  readonly #maxBytes: number
  #notices = 0

  constructor(limits: { readonly maxRows: number; readonly maxBytes: number }) {
    this.#maxRows = limits.maxRows
    this.#maxBytes = limits.maxBytes
  }

  /** What of an event is passed on; undefined: nothing. */
  pass(event: QueryEvent): QueryEvent | undefined {
    if (event.type === 'rows') return this.#passRows(event.rows)
    if (event.type !== 'notice') return event
    this.#notices += 1
    if (this.#notices > NOTICES_MAX) return undefined
    if (this.#notices === NOTICES_MAX) {
      return { type: 'notice', severity: 'WARNING', message: 'Further notices of the database are left out.' }
    }
    return { ...event, message: event.message.slice(0, NOTICE_CHARACTERS_MAX) }
  }

  #passRows(rows: readonly (readonly Cell[])[]): QueryEvent | undefined {
    if (this.truncated !== undefined) return undefined
    const passed: (readonly Cell[])[] = []
    for (const row of rows) {
      const size = sizeOf(row)
      if (this.rows >= this.#maxRows) this.truncated = 'rows'
      else if (this.bytes + size > this.#maxBytes) this.truncated = 'bytes'
      if (this.truncated !== undefined) break
      passed.push(row)
      this.rows += 1
      this.bytes += size
    }
    return passed.length === 0 ? undefined : { type: 'rows', rows: passed }
  }
}

/** Bytes of the values; a row of nothing but NULLs counts too. */
function sizeOf(row: readonly Cell[]): number {
  return row.reduce((sum, cell) => sum + 1 + (cell === null ? 0 : Buffer.byteLength(cell)), 0)
}
