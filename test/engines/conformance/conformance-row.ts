import type { EngineName } from '../../../src/contract/engines.ts'
import type { DataSourceRoute } from '../../../src/dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../../src/dialer/data-source-secrets.ts'
import type { Cell, ResultColumn } from '../../../src/engines/query-events.ts'
import type { SystemTool } from '../../support/requirements.ts'

/** What a statement would write if it could reach the files of the server. */
export const STOLEN_FILE = '/tmp/postern-conformance'

/** One kind of server that the conformance suite runs against. */
export interface ConformanceRow {
  readonly title: string
  readonly tools: readonly SystemTool[]
  /** What this version of the server does not have at all. */
  readonly lacks?: readonly ('grants' | 'unique keys' | 'secondary indexes' | 'table comments')[]
  /** How many sessions are opened one after another; a thousand where nothing is said. */
  readonly opens?: number
  start(): Promise<ConformanceServer>
}

export interface Login {
  readonly route: DataSourceRoute
  readonly secrets: DataSourceSecrets
}

/**
 * A server with a database `shop`, in it a table `orders` (an index on `note`, a comment on the table and on the column `note`)
 * with a row of id 1, and a view `recent` of it.
 */
export interface ConformanceServer {
  readonly engine: EngineName
  /** Begins what `serverVersion` says. */
  readonly version: string
  /** Has every privilege. */
  readonly owner: Login
  /** May read `shop` and nothing else; on a replica where there is one. */
  readonly reader: Login
  /** Users without any privilege beyond logging in. */
  readonly newAdmin: Login
  readonly newReader: Login
  /** Runs statements as the administrator of the database server, past Postern, in the database `shop`. */
  run(...statements: string[]): Promise<void>
  /** Sessions of the users above. */
  openSessions(): Promise<number>
  /** Rows of `orders`. */
  countOrders(): Promise<number>
  readonly sql: {
    /** A million rows of more than 200 bytes. */
    readonly million: string
    /** Runs for a minute. */
    readonly slow: string
    readonly values: {
      readonly statement: string
      readonly columns: readonly ResultColumn[]
      readonly row: readonly Cell[]
    }
    /** Makes two result sets, `one` with 1 and `two` with 2, and a notice where the engine has them. */
    readonly several: string
    /** A mistake in the third line; `place` where the protocol tells it. */
    readonly mistake: {
      readonly statement: string
      readonly code: string
      readonly place?: [line: number, column: number]
    }
    /** Statements that would write, or leave the read-only session; none may have any effect. */
    readonly writes: readonly string[]
    /** As `writes`, but for the server no statement at all. */
    readonly brokenWrites: readonly string[]
    /** Statements that only look as if. */
    readonly reads: readonly string[]
    /** Gives `newReader` a way to write. */
    readonly grantWriting: string
  }
  /** Whether the reader's server is a replica. */
  readonly isReplica?: boolean
  stop(): Promise<void>
}
