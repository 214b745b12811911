/** A value as the database prints it, so that nothing is rounded or guessed. Null is SQL's NULL. */
export type Cell = string | null

export interface ResultColumn {
  readonly name: string
  /** Type as the engine names it, for example `int8`, `decimal(10,2)`, `Array(UInt8)`. */
  readonly type: string
}

/** What a running statement answers, in order: for each result set columns, rows and complete; notices in between. */
export type QueryEvent =
  | { readonly type: 'columns'; readonly columns: readonly ResultColumn[] }
  /** At most a few hundred rows at a time. */
  | { readonly type: 'rows'; readonly rows: readonly (readonly Cell[])[] }
  | {
      readonly type: 'complete'
      /** What was done, as the engine says it (`INSERT`, `CREATE TABLE`); null where it says nothing. */
      readonly command: string | null
      /** Rows returned or changed; null where the engine does not say. */
      readonly rowCount: number | null
    }
  | { readonly type: 'notice'; readonly severity: string; readonly message: string }

export interface QueryOptions {
  readonly signal: AbortSignal
  /** The server is told to give up after this; Postern cancels a little later itself. */
  readonly timeoutMs: number
}
