import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'

/** Longest statement, in characters. */
const SQL_STATEMENT_MAX = 512 * 1024

const SqlSource = z.enum(['read_only', 'admin', 'self'])

export const ExecuteSqlInput = z.strictObject({
  statement: z
    .string()
    .min(1)
    .max(SQL_STATEMENT_MAX)
    .describe('One statement, or several where the engine takes them.'),
  database: z.string().min(1).max(255).optional().describe('Absent: the one that the data source names.'),
  source: SqlSource.optional().describe(
    'read_only (the default): the healthy read-only data source with the least lag. admin: the admin data source. self: your own Postgres role, with a database credential of your own.',
  ),
  dataSourceId: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('Id or name of a data source of the instance, instead of source.'),
  role: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('With source self: the Postgres role, for example of a group. Absent: the one named like you.'),
  limits: z
    .strictObject({
      maxRows: z.number().int().min(1).optional(),
      maxBytes: z.number().int().min(1024).optional(),
      timeoutSeconds: z.number().int().min(1).optional(),
    })
    .optional()
    .describe('Above the maximum of this deployment they are refused, not lowered.'),
})
export type ExecuteSqlInput = z.infer<typeof ExecuteSqlInput>

/** Which limit cut a result. */
const SqlTruncation = z.enum(['rows', 'bytes', 'time'])

const cell = z.string().nullable()

/** One line of the answer to a statement. The first is `start`, the last one is `end`: a stream without it was cut off. */
export const SqlEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    executionId: z.uuid(),
    instance: z.string(),
    engine: z.string(),
    database: z.string(),
    source: SqlSource,
    dataSource: z.object({ id: z.string(), name: z.string() }).nullable(),
    role: z.string().nullable(),
    limits: z.object({ maxRows: z.number(), maxBytes: z.number(), timeoutSeconds: z.number() }),
  }),
  z.object({
    type: z.literal('columns'),
    columns: z
      .array(z.object({ name: z.string(), type: z.string() }))
      .readonly()
      .describe('A result set begins.'),
  }),
  z.object({
    type: z.literal('rows'),
    rows: z.array(z.array(cell).readonly()).readonly().describe('Values as the database prints them; null is NULL.'),
  }),
  z.object({
    type: z.literal('complete'),
    command: z.string().nullable(),
    rowCount: z
      .number()
      .nullable()
      .describe('Rows returned or changed, also those that a limit kept from this answer.'),
  }),
  z.object({ type: z.literal('notice'), severity: z.string(), message: z.string() }),
  z.object({ type: z.literal('progress'), elapsedMs: z.number() }).describe('Nothing else happened for a while.'),
  z.object({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    databaseCode: z.string().nullable().describe('SQLSTATE, or the number that the database gives to its error.'),
    line: z.number().int().nullable().describe('Where in the statement, counted from 1.'),
    column: z.number().int().nullable(),
  }),
  z.object({
    type: z.literal('end'),
    state: z.enum(['DONE', 'FAILED', 'CANCELLED']),
    truncated: SqlTruncation.nullable().describe('Which limit cut the answer; null: it is whole.'),
    elapsedMs: z.number(),
    rows: z.number().describe('Rows of this answer.'),
    bytes: z.number().describe('Bytes of their values.'),
  }),
])
export type SqlEvent = z.infer<typeof SqlEvent>

const SqlExecutionState = z.enum(['RUNNING', 'DONE', 'FAILED', 'CANCELLED'])

export const SqlExecution = z.object({
  id: z.uuid(),
  instance: z.string(),
  database: z.string(),
  source: SqlSource,
  dataSource: z.string().nullable(),
  role: z.string().nullable(),
  statement: z.string().nullable().describe('Null where it no longer opens.'),
  kind: z.string(),
  state: SqlExecutionState,
  errorCode: z.string().nullable(),
  databaseCode: z.string().nullable(),
  truncated: SqlTruncation.nullable(),
  rows: z.number().nullable(),
  bytes: z.number().nullable(),
  elapsedMs: z.number().nullable(),
  startedAt: z.iso.datetime(),
})
export type SqlExecution = z.infer<typeof SqlExecution>
export const SqlExecutionList = z.object({ sqlExecutions: z.array(SqlExecution), nextPageToken })

export const ListSqlExecutionsQuery = PageQuery.extend({
  instance: z.string().max(63).optional(),
  state: SqlExecutionState.optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  query: z.string().min(1).max(200).optional().describe('Text that the statement holds, in any case.'),
})

export const CancelSqlAnswer = z.object({ id: z.uuid(), state: SqlExecutionState })
export const DeleteSqlHistoryAnswer = z.object({ deleted: z.number().int() })
