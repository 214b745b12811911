import pg from 'pg'
import type { Connection, FieldDef, Submittable } from 'pg'
import type { Cell } from '../query-events.ts'

/** Messages of the driver's connection; the published types know neither their names nor all of its methods. */
export interface WireConnection {
  parse(query: { name: string; text: string }): void
  describe(what: { type: 'S'; name: string }): void
  bind(what: { statement: string }): void
  execute(what: { rows: number }): void
  close(what: { type: 'S'; name: string }): void
  sync(): void
  prependListener(event: 'readyForQuery', listener: () => void): void
}

const STATEMENT = 'postern_statement'

/**
 * Messages to the server and its answers, up to ReadyForQuery. The driver calls the methods that its own queries have. It does
 * not tell of a ReadyForQuery that follows an error, nor of the end of the session: whoever submits calls {@link settle} then.
 */
abstract class Exchange implements Submittable {
  readonly #settled = Promise.withResolvers<void>()
  #isSettled = false
  #isSubmitted = false
  #failure: Error | undefined

  protected abstract send(wire: WireConnection): void

  submit(connection: Connection): void {
    this.#isSubmitted = true
    this.send(connection as unknown as WireConnection)
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Resolves when the server is ready again or the session is gone. Never rejects: see `failure`. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** The server is ready for the next query: ours is done, unless it was an earlier one that ended now. */
  serverReady(): void {
    if (this.#isSubmitted) this.settle()
  }

  settle(): void {
    this.#isSettled = true
    this.#settled.resolve()
  }

  handleError(error: Error): void {
    this.#failure ??= error
    // What is no message of the server is the end of the session.
    if (!(error instanceof pg.DatabaseError)) this.settle()
  }

  handleReadyForQuery(): void {
    this.settle()
  }

  handleRowDescription(_message: { fields: FieldDef[] }): void {}
  handleDataRow(_message: { fields: Cell[]; length: number }): void {}
  handleCommandComplete(_message: { text: string }): void {}
  handleCopyData(_message: { chunk: Uint8Array }): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  /** The Close that follows our Execute ends the COPY with an error. */
  handleCopyInResponse(): void {}
}

/** Parses one statement and asks what it will answer. The extended protocol takes exactly one statement (42601 for more). */
export class PrepareExchange extends Exchange {
  readonly #text: string
  #fields: readonly FieldDef[] | undefined

  constructor(text: string) {
    super()
    this.#text = text
  }

  /** Undefined for a statement that returns no rows. */
  get fields(): readonly FieldDef[] | undefined {
    return this.#fields
  }

  protected override send(wire: WireConnection): void {
    // One of a statement that failed may be left.
    wire.close({ type: 'S', name: STATEMENT })
    wire.parse({ name: STATEMENT, text: this.#text })
    wire.describe({ type: 'S', name: STATEMENT })
    wire.sync()
  }

  override handleRowDescription(message: { fields: FieldDef[] }): void {
    this.#fields = message.fields
  }
}

/** What the server sends while a statement runs. */
export type RunMessage =
  | { readonly kind: 'row'; readonly cells: readonly Cell[]; readonly bytes: number }
  | { readonly kind: 'copy'; readonly chunk: Uint8Array }
  | { readonly kind: 'complete'; readonly tag: string }

/** Runs the statement that was prepared, with all values as text. */
export class RunExchange extends Exchange {
  readonly #onMessage: (message: RunMessage) => void

  constructor(onMessage: (message: RunMessage) => void) {
    super()
    this.#onMessage = onMessage
  }

  protected override send(wire: WireConnection): void {
    wire.bind({ statement: STATEMENT })
    wire.execute({ rows: 0 })
    wire.close({ type: 'S', name: STATEMENT })
    wire.sync()
  }

  override handleDataRow(message: { fields: Cell[]; length: number }): void {
    this.#onMessage({ kind: 'row', cells: message.fields, bytes: message.length })
  }

  override handleCopyData(message: { chunk: Uint8Array }): void {
    this.#onMessage({ kind: 'copy', chunk: message.chunk })
  }

  override handleCommandComplete(message: { text: string }): void {
    this.#onMessage({ kind: 'complete', tag: message.text })
  }
}
