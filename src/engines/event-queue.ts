import type { Cell, QueryEvent } from './query-events.ts'

/** Holds back and lets on what feeds the queue: a stream, or a driver's session. */
export interface Flow {
  pause(): void
  resume(): void
}

const BATCH_ROWS = 200
const BATCH_BYTES = 256 * 1024
/** What may wait here before the database is held back. The chunk that is being read when that happens comes on top. */
const WAITING_BYTES = 1024 * 1024
/** A row costs more than its text. */
const ROW_OVERHEAD_BYTES = 64

interface Batch {
  readonly event: QueryEvent
  readonly rows: (readonly Cell[])[] | undefined
  bytes: number
}

/** Between a driver that hands out rows as they come and a reader that takes them when he likes. Bounded in memory. */
export class EventQueue {
  readonly #flow: Flow
  #batches: Batch[] = []
  #waitingBytes = 0
  #isPaused = false
  #isDiscarding = false
  #end: { readonly error: Error | undefined } | undefined
  #wake: () => void = () => undefined

  constructor(flow: Flow) {
    this.#flow = flow
  }

  push(event: QueryEvent): void {
    if (this.#isDiscarding) return
    this.#batches.push({ event, rows: undefined, bytes: 0 })
    this.#wake()
  }

  /** @param bytes about how much memory the row takes */
  pushRow(row: readonly Cell[], bytes: number): void {
    if (this.#isDiscarding) return
    const size = bytes + ROW_OVERHEAD_BYTES
    const last = this.#batches.at(-1)
    if (last?.rows !== undefined && last.rows.length < BATCH_ROWS && last.bytes < BATCH_BYTES) {
      last.rows.push(row)
      last.bytes += size
    } else {
      const rows = [row]
      this.#batches.push({ event: { type: 'rows', rows }, rows, bytes: size })
    }
    this.#waitingBytes += size
    if (this.#waitingBytes > WAITING_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#flow.pause()
    }
    this.#wake()
  }

  /** Nothing more comes; what waits is still handed out, then the error is thrown if there is one. */
  end(error: Error | undefined): void {
    this.#end ??= { error }
    this.#wake()
  }

  /** Forgets what waits and what will come: the database is to get rid of the rest as fast as it can. */
  discard(): void {
    this.#isDiscarding = true
    this.#batches = []
    this.#waitingBytes = 0
    this.#goOn()
  }

  /** Everything up to the end. @throws the error that it ended with */
  async *drain(): AsyncGenerator<QueryEvent, void> {
    for (;;) {
      const batch = this.#batches.shift()
      if (batch !== undefined) {
        this.#waitingBytes -= batch.bytes
        if (this.#waitingBytes <= WAITING_BYTES / 2) this.#goOn()
        yield batch.event
      } else if (this.#end === undefined) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      } else if (this.#end.error !== undefined) throw this.#end.error
      else return
    }
  }

  #goOn(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#flow.resume()
  }
}
