/**
 * The form of a backup: a gzip file of lines, each of them JSON.
 *
 * ```
 * ["postern-backup",1,{…heading…}]
 * ["table","audit_event",["id","occurred_at",…]]
 * {"id":"…","occurred_at":"…",…}                     one line per row
 * ["end",{"audit_event":12,…},"…sha-256 in hex…"]    rows by table; the hash covers every line before this one
 * ```
 *
 * Rows are what Postgres makes of them (`to_jsonb`): bytes in hex, times in UTC, numbers with all their digits. Sealed values
 * are as sealed as in the store. The hash finds damage; it is no signature.
 */
export const FORMAT_NAME = 'postern-backup'

/** Grows when an older Postern could not read the file. A new table or column is told by the migrations instead. */
export const FORMAT_VERSION = 1

export interface BackupHeading {
  /** Version of the Postern that wrote it. */
  readonly postern: string
  readonly createdAt: string
  /** What made the schema, oldest first. */
  readonly migrations: readonly { readonly name: string; readonly sha256: string }[]
  /** Base64 of the sealed value that only the right master key opens. */
  readonly keyCheck: string
}

/** Number of rows by table. */
export type RowCounts = Readonly<Record<string, number>>

export function totalRows(counts: RowCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
