import { PosternError } from '../../base/errors.ts'
import type { Cell, QueryEvent } from '../query-events.ts'
import { isRecord } from '../read-body.ts'
import { mergeChunks } from './merge-chunks.ts'
import { fieldsOf, renderType, renderValue } from './render-values.ts'

const ROWS_AT_A_TIME = 200

/** What a run of partial results has said besides its rows. */
export interface ResultEnd {
  /** Changed rows, for a statement that changes some. */
  readonly changedRows: number | null
  readonly returnedRows: number
  readonly hasColumns: boolean
}

/**
 * Puts the rows of a result together again from the parts in which Spanner streams them (PartialResultSet): values come as one
 * flat list over all columns, and the last value of a part may go on in the next one.
 */
export class PartialResults {
  #width: number | undefined
  #hasColumns = false
  #pending: unknown[] = []
  #isLastCut = false
  #returnedRows = 0
  #changedRows: number | null = null
  /** Transaction that the statement was told to begin. */
  transactionId: string | undefined;

  /** What the next part brings. */
  *push(part: Readonly<Record<string, unknown>>): Generator<QueryEvent> {
    yield* this.#readMetadata(part['metadata'])
    this.#readStats(part['stats'])
    const values: unknown[] = Array.isArray(part['values']) ? [...(part['values'] as unknown[])] : []
    if (this.#isLastCut && values.length > 0) {
      values[0] = mergeChunks(this.#pending.pop(), values[0])
      this.#isLastCut = false
    }
    for (const value of values) this.#pending.push(value)
    if (values.length > 0) this.#isLastCut = part['chunkedValue'] === true
    yield* this.#takeRows()
  }

  end(): ResultEnd {
    if (this.#pending.length > 0) throw malformed('its last row is not whole')
    return { changedRows: this.#changedRows, returnedRows: this.#returnedRows, hasColumns: this.#hasColumns }
  }

  *#readMetadata(metadata: unknown): Generator<QueryEvent> {
    if (!isRecord(metadata)) return
    const { rowType, transaction } = metadata
    if (isRecord(transaction) && typeof transaction['id'] === 'string' && transaction['id'] !== '') {
      this.transactionId = transaction['id']
    }
    if (this.#width !== undefined) return
    const fields = fieldsOf(rowType)
    this.#width = fields.length
    this.#hasColumns = fields.length > 0
    if (!this.#hasColumns) return
    yield { type: 'columns', columns: fields.map(({ name, type }) => ({ name, type: renderType(type) })) }
  }

  #readStats(stats: unknown): void {
    if (!isRecord(stats)) return
    const count = stats['rowCountExact'] ?? stats['rowCountLowerBound']
    if (typeof count === 'string' && /^\d{1,15}$/.test(count)) this.#changedRows = Number(count)
  }

  *#takeRows(): Generator<QueryEvent> {
    const width = this.#width ?? 0
    if (this.#pending.length > 0 && width === 0) throw malformed('it has values and no columns')
    const whole = this.#isLastCut ? this.#pending.length - 1 : this.#pending.length
    const count = width === 0 ? 0 : Math.floor(whole / width)
    let rows: (readonly Cell[])[] = []
    for (let row = 0; row < count; row += 1) {
      rows.push(this.#pending.slice(row * width, (row + 1) * width).map(renderValue))
      if (rows.length < ROWS_AT_A_TIME && row + 1 < count) continue
      yield { type: 'rows', rows }
      rows = []
    }
    this.#pending = this.#pending.slice(count * width)
    this.#returnedRows += count
  }
}

function malformed(reason: string): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', `the result of Spanner does not hold together: ${reason}`)
}
