import type { Cell } from '../query-events.ts'

/** A column of a result, in Oracle's words. */
export interface OracleColumn {
  readonly name: string
  /** For example `NUMBER(10,2)`. */
  readonly type: string
}

/** A result whose rows are fetched as they are wanted. Always close it. */
export interface OracleRows {
  readonly columns: readonly OracleColumn[]
  /** Nothing when there are no more. */
  next(count: number): Promise<readonly (readonly Cell[])[]>
  close(): Promise<void>
}

export type OracleResult = { readonly rows: OracleRows } | { readonly changedRows: number | null }

/** What the engine needs of a logged-in session: the driver's, or a stand-in of the tests that knows the dictionary. */
export interface OracleConnection {
  /** For example `19.22.0.0.0`. */
  readonly serverVersion: string
  /** @throws what the driver throws: `errorNum`, `code`, `offset` */
  execute(sql: string, binds: readonly string[], options: ExecuteOptions): Promise<OracleResult>
  ping(): Promise<void>
  /** Stops what is running; it then fails with ORA-01013. */
  interrupt(): Promise<void>
  rollback(): Promise<void>
  close(): Promise<void>
}

export interface ExecuteOptions {
  readonly autoCommit: boolean
  /** For each answer of the server; the driver then gives up by itself. */
  readonly timeoutMs: number
}
