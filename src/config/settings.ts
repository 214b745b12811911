import type { OptionKey } from './options.ts'

/** One option as somebody gave it, before its value is read. */
export interface Setting {
  readonly key: OptionKey
  /** As written; several when a list was given item by item. */
  readonly texts: readonly string[]
  /** The texts name a file that holds the value (secrets only). */
  readonly isFileReference: boolean
  /** Where it was given, for messages and `config print`: `--http-port`, `POSTERN_HTTP_PORT`, `httpPort in /etc/postern.json`. */
  readonly source: string
  /** Folder that relative paths start from. */
  readonly base: string
}

/** What one origin (command line, environment, file) says: at most one setting per option, and all that is wrong with it. */
export interface Settings {
  readonly settings: readonly Setting[]
  readonly mistakes: readonly string[]
}
