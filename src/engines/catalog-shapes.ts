import type { PosternError } from '../base/errors.ts'

/** A database of an instance, as a list of them shows it. */
export interface DatabaseSummary {
  readonly name: string
  readonly characterSet: string | null
  readonly collation: string | null
  readonly sizeBytes: number | null
  /** Where it is reached by another service than the data source names (an Oracle PDB). */
  readonly serviceName?: string
}

export interface DescribeOptions {
  readonly signal: AbortSignal
}

/** One schema with everything in it, or the reason why it could not be read. Engines without schemas have one, named ''. */
export type DescribedSchema =
  | { readonly schema: string; readonly tables: AsyncIterable<DescribedTable> | Iterable<DescribedTable> }
  | { readonly schema: string; readonly problem: PosternError }

export interface DescribedTable {
  readonly name: string
  readonly kind: 'table' | 'view' | 'materialized_view' | 'foreign_table'
  /** The database's own estimate; null where it has none. */
  readonly rowEstimate: number | null
  readonly sizeBytes: number | null
  readonly comment: string | null
  readonly columns: readonly DescribedColumn[]
  readonly indexes: readonly DescribedIndex[]
  /** Text of a view; null for a table, or where it may not be read. */
  readonly definition: string | null
}

export interface DescribedColumn {
  readonly name: string
  /** As the database prints it, for example `numeric(10,2)`. */
  readonly type: string
  readonly nullable: boolean
  readonly defaultValue: string | null
  readonly comment: string | null
}

export interface DescribedIndex {
  readonly name: string
  readonly columns: readonly string[]
  readonly unique: boolean
  readonly primary: boolean
}
