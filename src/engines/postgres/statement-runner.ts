import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import { EventQueue } from '../event-queue.ts'
import type { QueryEvent } from '../query-events.ts'
import { PrepareExchange, RunExchange, type RunMessage, type WireConnection } from './exchange.ts'
import type { TypeNames } from './type-names.ts'

/** For the server to end a statement that it was told to cancel; then the session is given up. */
const CANCEL_WAIT_MS = 5_000

type Exchange = PrepareExchange | RunExchange

/** Runs statements of people in a session, one by one, and ends them when asked. */
export class StatementRunner {
  readonly #client: pg.Client
  readonly #stream: Duplex
  readonly #typeNames: TypeNames
  readonly #cancel: () => Promise<void>
  readonly #copyText = new TextDecoder()
  #current: Exchange | undefined
  #queue: EventQueue | undefined
  #notices: QueryEvent[] = []

  /** @param cancel sends a CancelRequest for the session, and resolves once the server has acted on it */
  constructor(client: pg.Client, stream: Duplex, typeNames: TypeNames, cancel: () => Promise<void>) {
    this.#client = client
    this.#stream = stream
    this.#typeNames = typeNames
    this.#cancel = cancel
    const { connection } = client as unknown as { connection: WireConnection }
    // Before the driver's own listener, which may submit the next exchange at once.
    connection.prependListener('readyForQuery', () => this.#current?.serverReady())
    client.on('end', () => this.#current?.settle())
    client.on('notice', ({ severity, message }) => {
      const notice = { type: 'notice', severity: severity ?? 'NOTICE', message: message ?? '' } as const
      if (this.#queue === undefined) this.#notices.push(notice)
      else this.#queue.push(notice)
    })
  }

  /**
   * Runs one statement. Ending the iteration early cancels it.
   * @throws pg.DatabaseError as the server sent it; anything else when the session is gone
   */
  async *run(statement: string): AsyncGenerator<QueryEvent, void> {
    const prepare = new PrepareExchange(statement)
    await this.#exchange(prepare)
    if (prepare.fields !== undefined) {
      yield { type: 'columns', columns: await this.#typeNames.columns(prepare.fields) }
    }
    const queue = new EventQueue(this.#stream)
    this.#queue = queue
    for (const notice of this.takeNotices()) queue.push(notice)
    let isCopy = false
    const run = new RunExchange((message) => {
      if (message.kind === 'copy' && !isCopy) queue.push({ type: 'columns', columns: [{ name: 'COPY', type: 'text' }] })
      isCopy ||= message.kind === 'copy'
      deliver(message, queue, this.#copyText)
    })
    try {
      void this.#exchange(run).then(
        () => queue.end(undefined),
        (error: Error) => queue.end(error),
      )
      yield* queue.drain()
    } finally {
      if (!run.isSettled) await this.interrupt()
      this.#queue = undefined
    }
  }

  /** What the server remarked since the last statement. */
  takeNotices(): QueryEvent[] {
    return this.#notices.splice(0)
  }

  /** Cancels what runs, reads the rest of it away, and resolves when the server is ready or the session is gone. */
  async interrupt(): Promise<void> {
    const running = this.#current
    if (running === undefined || running.isSettled) return
    const giveUp = setTimeout(() => {
      this.#stream.destroy(
        new PosternError('UPSTREAM_FAILED', 'the database did not end a cancelled statement in time'),
      )
    }, CANCEL_WAIT_MS)
    try {
      // Held back as it is, the server sends nothing meanwhile that would keep us from reaching it.
      await this.#cancel().catch(() => undefined)
      this.#queue?.discard()
      await running.settled
    } finally {
      clearTimeout(giveUp)
    }
  }

  async #exchange(exchange: Exchange): Promise<void> {
    this.#current = exchange
    this.#client.query(exchange)
    await exchange.settled
    this.#current = undefined
    if (exchange.failure !== undefined) throw exchange.failure
  }
}

function deliver(message: RunMessage, queue: EventQueue, copyText: TextDecoder): void {
  switch (message.kind) {
    case 'row':
      return queue.pushRow(message.cells, message.bytes)
    case 'copy':
      return queue.pushRow([copyText.decode(message.chunk).replace(/\n$/, '')], message.chunk.length)
    case 'complete':
      return queue.push({ type: 'complete', ...readTag(message.tag) })
  }
}

/** `INSERT 0 5` and `SELECT 3` end with a number of rows; `CREATE TABLE` does not. */
function readTag(tag: string): { command: string | null; rowCount: number | null } {
  const rowCount = / (\d+)$/.exec(tag)?.[1]
  return { command: tag.replace(/(?: \d+)+$/, '') || null, rowCount: rowCount === undefined ? null : Number(rowCount) }
}
