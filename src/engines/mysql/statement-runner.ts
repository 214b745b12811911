import { PosternError } from '../../base/errors.ts'
import { EventQueue } from '../event-queue.ts'
import type { QueryEvent } from '../query-events.ts'
import type { MysqlClient } from './driver.ts'
import { cellOf, resultColumns, type WireColumn } from './result-types.ts'

/** For the server to end a statement that it was told to cancel; then the session is given up. */
const CANCEL_WAIT_MS = 5_000

/** What the driver hands out for a statement that returns no rows. */
interface OkPacket {
  readonly affectedRows: number | string
}

/** Events of the driver's query; the published types do not have them all. */
interface DriverQuery {
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'fields', listener: (columns: readonly WireColumn[] | undefined) => void): void
  on(event: 'result', listener: (row: (Buffer | null)[] | OkPacket) => void): void
  on(event: 'end', listener: () => void): void
}

/** Runs text of people in a session, one packet of the protocol at a time, and ends it when asked. */
export class StatementRunner {
  readonly #client: MysqlClient
  readonly #cancel: () => Promise<void>
  #current: { readonly queue: EventQueue; readonly ended: Promise<void>; isEnded: boolean } | undefined

  /** @param cancel ends what runs in the session, from another one */
  constructor(client: MysqlClient, cancel: () => Promise<void>) {
    this.#client = client
    this.#cancel = cancel
  }

  /**
   * Runs text that the server takes as it is: one statement, or several where the session allows it. Ending the iteration early
   * cancels it.
   * @throws the driver's error as the server sent it
   */
  async *run(sql: string): AsyncGenerator<QueryEvent, void> {
    const { connection } = this.#client
    const queue = new EventQueue(connection)
    const ended = Promise.withResolvers<void>()
    const current = { queue, ended: ended.promise, isEnded: false }
    const end = (error: Error | undefined): void => {
      queue.end(error)
      current.isEnded = true
      ended.resolve()
    }
    this.#current = current
    this.#client.onLost(end)
    deliver(connection.query({ sql, rowsAsArray: true, typeCast: false }), queue, end)
    try {
      yield* queue.drain()
    } finally {
      if (!current.isEnded) await this.interrupt()
      this.#client.onLost(() => undefined)
      this.#current = undefined
    }
  }

  /** Cancels what runs, reads the rest of it away, and resolves when the server is ready or the session is gone. */
  async interrupt(): Promise<void> {
    const current = this.#current
    if (current === undefined || current.isEnded) return
    const giveUp = setTimeout(() => {
      this.#client.destroy(
        new PosternError('UPSTREAM_FAILED', 'the database did not end a cancelled statement in time'),
      )
    }, CANCEL_WAIT_MS)
    try {
      // Held back as it is, the server sends nothing meanwhile that would keep us from reaching it.
      await this.#cancel().catch(() => undefined)
      current.queue.discard()
      await current.ended
    } finally {
      clearTimeout(giveUp)
    }
  }
}

function deliver(query: DriverQuery, queue: EventQueue, end: (error: Error | undefined) => void): void {
  let columns: readonly WireColumn[] | undefined
  let rowCount = 0
  let failure: Error | undefined
  const complete = (): void => {
    if (columns !== undefined) queue.push({ type: 'complete', command: null, rowCount })
    columns = undefined
    rowCount = 0
  }
  query.on('fields', (next) => {
    complete()
    columns = next
    if (next !== undefined) queue.push({ type: 'columns', columns: resultColumns(next) })
  })
  query.on('result', (row) => {
    if (columns !== undefined && Array.isArray(row)) {
      rowCount += 1
      const cells = columns.map((column, index) => cellOf(row[index] ?? null, column))
      queue.pushRow(
        cells,
        row.reduce((bytes, value) => bytes + (value?.length ?? 0), 0),
      )
    } else if (!Array.isArray(row)) {
      queue.push({ type: 'complete', command: null, rowCount: Number(row.affectedRows) })
    }
  })
  query.on('error', (error) => (failure = error))
  query.on('end', () => {
    if (failure === undefined) complete()
    end(failure)
  })
}
