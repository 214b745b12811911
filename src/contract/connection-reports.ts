import { z } from 'zod'
import { DataSourceInput, DataSourceName, DataSourcePatch, ExternalSecretField } from './data-sources.ts'
import { EngineName, ManageMode } from './engines.ts'
import { Problem } from './problem.ts'

export const ConnectionStage = z.object({
  stage: z.enum([
    'secret',
    'name',
    'tcp',
    'ssh_handshake',
    'ssh_host_key',
    'ssh_login',
    'ssh_forward',
    'tls',
    'login',
    'version',
    'privileges',
  ]),
  ok: z.boolean(),
  elapsedMs: z.number(),
  detail: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]))
    .optional()
    .describe(
      'What the stage brought to light: protocol and certificate of TLS, host key of SSH, token of a cloud identity.',
    ),
  secrets: z
    .array(
      z.object({
        field: ExternalSecretField,
        source: z.string().describe('Kind of the secret manager.'),
        host: z.string(),
        origin: z
          .enum(['fetched', 'cached', 'stale'])
          .describe('Stale: remembered, since the manager does not answer.'),
        version: z.string().nullable(),
        elapsedMs: z.number(),
      }),
    )
    .optional()
    .describe('Stage secret: how those secrets were found that live elsewhere.'),
  code: z.string().optional(),
  message: z.string().optional(),
  action: z.string().optional(),
})
export type ConnectionStage = z.infer<typeof ConnectionStage>

const report = {
  ok: z.boolean(),
  dataSource: DataSourceName.describe('Name of the data source that was tested.'),
  stages: z.array(ConnectionStage),
  serverVersion: z.string().optional(),
  user: z.string().optional().describe('User as the database knows it.'),
  privileges: z.array(z.string()).describe('What the user may do, in the words of the engine.'),
  missingPrivileges: z.array(z.string()).describe('SQL statements that an administrator of the database should run.'),
  warnings: z.array(z.string()).describe('What should be known though it stops nothing.'),
  seenAddress: z.string().nullable().describe('Address that Postern comes from, as the database sees it.'),
  addressesToAllow: z.array(z.string()).describe('Addresses to allow in the firewall of the database.'),
}

/** What a connection test found, stage by stage, in the order in which they ran; it ends at the first failure. */
export const ConnectionReport = z.object({
  ...report,
  readOnlyDataSources: z
    .array(z.object(report))
    .optional()
    .describe('Reports of the read-only data sources that were tested with it; `ok` above counts them too.'),
})
export type ConnectionReport = z.infer<typeof ConnectionReport>

/** A line of the streamed form (`Accept: application/x-ndjson`); the last one is `report` or `problem`. */
export const ConnectionTestEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stage'), dataSource: DataSourceName, stage: ConnectionStage }),
  z.object({ type: z.literal('report'), report: ConnectionReport }),
  z.object({ type: z.literal('problem'), problem: Problem }),
])
export type ConnectionTestEvent = z.infer<typeof ConnectionTestEvent>

/** A test of what was entered and is not stored. */
export const TestConnectionInput = z.strictObject({
  engine: EngineName.default('postgres'),
  type: z.enum(['admin', 'read_only']).default('admin'),
  manageMode: ManageMode.optional().describe('Oracle: the one that is meant.'),
  dataSource: DataSourceInput,
})
export type TestConnectionInput = z.infer<typeof TestConnectionInput>

/** A test of what is stored, or of what it would be after a change. */
export const TestStoredInput = z.strictObject({ dataSource: DataSourcePatch.optional() })
export type TestStoredInput = z.infer<typeof TestStoredInput>
