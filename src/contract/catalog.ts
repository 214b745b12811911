import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'

const databaseName = z.string().min(1).max(1024)

export const SyncInput = z.strictObject({
  databases: z
    .array(databaseName)
    .min(1)
    .max(1000)
    .optional()
    .describe('Only these; absent: all that the instance is to have.'),
})
export type SyncInput = z.infer<typeof SyncInput>

const SyncState = z.enum(['QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED'])

/** A reading of the catalogue of one instance, and how far it is. As a stream, one of these a line until it has ended. */
export const SyncRun = z.object({
  id: z.uuid(),
  instance: z.string(),
  reason: z.enum(['creation', 'demand', 'schedule', 'manage_mode']),
  databases: z.array(z.string()).nullable().describe('What was asked for; null: all.'),
  state: SyncState,
  databasesTotal: z.number().int().nullable().describe('Null until they are listed.'),
  databasesDone: z.number().int(),
  schemasDone: z.number().int(),
  tablesDone: z.number().int(),
  problemCount: z.number().int(),
  problems: z
    .array(z.object({ database: z.string(), schema: z.string().nullable(), code: z.string(), message: z.string() }))
    .describe('The first hundred things that could not be read, and why; the rest was read all the same.'),
  failureCode: z.string().nullable(),
  failure: z.string().nullable().describe('Why it FAILED.'),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  finishedAt: z.iso.datetime().nullable(),
})
export type SyncRun = z.infer<typeof SyncRun>
export const SyncRunList = z.object({ syncRuns: z.array(SyncRun), nextPageToken })

export const CatalogListQuery = PageQuery.extend({
  pageToken: z.string().max(8192).optional().describe('nextPageToken of the previous page.'),
  filter: z.string().min(1).max(200).optional().describe('Text that the name holds, in any case.'),
})

const problemFields = {
  stale: z.boolean().describe('The last reading failed: what is shown is from the one before.'),
  problemCode: z.string().nullable(),
  problem: z.string().nullable(),
}

export const CatalogDatabase = z.object({
  name: z.string(),
  characterSet: z.string().nullable(),
  collation: z.string().nullable(),
  sizeBytes: z.number().nullable(),
  serviceName: z.string().nullable(),
  syncedAt: z.iso.datetime().nullable().describe('When it was last read to its end.'),
  ...problemFields,
})
export type CatalogDatabase = z.infer<typeof CatalogDatabase>
export const CatalogDatabaseList = z.object({ databases: z.array(CatalogDatabase), nextPageToken })

const CatalogSchema = z.object({
  name: z.string().describe('Empty for engines without schemas.'),
  tableCount: z.number().int(),
  ...problemFields,
})
export const CatalogSchemaList = z.object({ schemas: z.array(CatalogSchema), nextPageToken })

const tableFields = {
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['table', 'view', 'materialized_view', 'foreign_table']),
  rowEstimate: z.number().nullable().describe("The database's own estimate."),
  sizeBytes: z.number().nullable(),
  comment: z.string().nullable(),
}
export const CatalogTableSummary = z.object(tableFields)
export type CatalogTableSummary = z.infer<typeof CatalogTableSummary>
export const CatalogTableList = z.object({ tables: z.array(CatalogTableSummary), nextPageToken })

export const CatalogTable = z.object({
  ...tableFields,
  definition: z.string().nullable().describe('Text of a view, where it may be read.'),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      nullable: z.boolean(),
      defaultValue: z.string().nullable(),
      comment: z.string().nullable(),
    }),
  ),
  indexes: z.array(
    z.object({ name: z.string(), columns: z.array(z.string()), unique: z.boolean(), primary: z.boolean() }),
  ),
})
export type CatalogTable = z.infer<typeof CatalogTable>

export const CatalogTablesQuery = CatalogListQuery.extend({
  schema: z.string().max(1024).optional().describe('Only tables of this schema.'),
})
export const CatalogTableQuery = z.object({ schema: z.string().max(1024).default('') })

export const CatalogSearchQuery = CatalogListQuery.omit({ filter: true }).extend({
  query: z.string().min(2).max(200).describe('Text that the name of a table or of a column holds, in any case.'),
})
export const CatalogFind = z.object({
  instance: z.string(),
  database: z.string(),
  schema: z.string(),
  table: z.string(),
  kind: z.enum(['table', 'view', 'materialized_view', 'foreign_table']),
  matchedColumns: z
    .array(z.string())
    .describe('Columns whose names hold the text; empty where only the name of the table does.'),
})
export type CatalogFind = z.infer<typeof CatalogFind>
export const CatalogFindList = z.object({ tables: z.array(CatalogFind), nextPageToken })
