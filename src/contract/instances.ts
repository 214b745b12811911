import { z } from 'zod'
import { EngineName } from './engines.ts'
import { nextPageToken, PageQuery } from './paging.ts'
import { TlsMode } from './tls-mode.ts'

/** User-chosen name of an instance: one host label, because it is the first label of its gateway host name. */
export const InstanceName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 of a-z, 0-9 and -, start with a letter and not end with -',
  )

export const InstanceState = z.enum(['STARTING', 'AVAILABLE', 'UPDATING', 'STOPPED', 'DELETING', 'DELETED', 'FAILED'])
export type InstanceState = z.infer<typeof InstanceState>

const host = z.string().min(1).max(253)
const port = z.number().int().min(1).max(65535)
const pgName = z.string().min(1).max(63)
const pem = z.string().max(256 * 1024)

export const DataSourceInput = z.strictObject({
  host,
  port: port.default(5432),
  database: pgName.default('postgres'),
  username: pgName,
  password: z.string().min(1).max(4096).describe('Write-only: no answer ever holds it.'),
  tlsMode: TlsMode.default('verify-full'),
  tlsCa: pem.optional().describe('PEM bundle of the certificate authorities to trust; absent means the public ones.'),
})
export type DataSourceInput = z.infer<typeof DataSourceInput>

export const DataSourcePatch = z.strictObject({
  host: host.optional(),
  port: port.optional(),
  database: pgName.optional(),
  username: pgName.optional(),
  password: z.string().min(1).max(4096).optional().describe('Required again whenever the destination changes.'),
  tlsMode: TlsMode.optional(),
  tlsCa: pem.nullable().optional(),
})
export type DataSourcePatch = z.infer<typeof DataSourcePatch>

export const CreateInstanceInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('external'),
    name: InstanceName,
    engine: z.literal('postgres').default('postgres'),
    adminDataSource: DataSourceInput,
  }),
  z.strictObject({
    kind: z.literal('managed'),
    name: InstanceName,
    engine: z.literal('postgres').default('postgres'),
  }),
])
export type CreateInstanceInput = z.infer<typeof CreateInstanceInput>

export const CreateInstanceQuery = z.object({
  validateOnly: z.stringbool().default(false).describe('Test the data source and store nothing.'),
})

export const UpdateInstanceInput = z.strictObject({
  etag: z.string().max(64).optional().describe('etag that the change is based on; another one stored means 409.'),
  nativeLoginEnabled: z.boolean().optional(),
  adminDataSource: DataSourcePatch.optional(),
})
export type UpdateInstanceInput = z.infer<typeof UpdateInstanceInput>

export const DataSource = z.object({
  id: z.uuid(),
  type: z.enum(['admin', 'read_only']),
  host: z.string(),
  port: z.number().int(),
  database: z.string(),
  username: z.string(),
  passwordSet: z.boolean(),
  tlsMode: TlsMode,
  tlsCa: z.string().nullable(),
})

export const Instance = z.object({
  uid: z.uuid().describe('Immutable id; credentials are bound to it.'),
  name: InstanceName,
  kind: z.enum(['external', 'managed']),
  engine: EngineName,
  state: InstanceState,
  stateReason: z.string().nullable().describe('Why the state is what it is, when it is not AVAILABLE.'),
  serverVersion: z.string().nullable(),
  defaultDatabase: z.string(),
  nativeLoginEnabled: z.boolean(),
  gatewayHost: z.string().describe('Host name that routes to this instance by SNI.'),
  gatewayPort: z.number().int(),
  creator: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  etag: z.string(),
  dataSources: z.array(DataSource).describe('Empty for managed instances.'),
})
export type Instance = z.infer<typeof Instance>

/** What a connection test found, stage by stage, in the order in which they ran; it ends at the first failure. */
export const ConnectionReport = z.object({
  ok: z.boolean(),
  stages: z.array(
    z.object({
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
      code: z.string().optional(),
      message: z.string().optional(),
      action: z.string().optional(),
    }),
  ),
  serverVersion: z.string().optional(),
  missingPrivileges: z.array(z.string()).describe('SQL statements that an administrator of the database should run.'),
})
export type ConnectionReport = z.infer<typeof ConnectionReport>

export const ListInstancesQuery = PageQuery.extend({
  filter: z.string().max(200).optional().describe('Text that the name contains.'),
})
export const InstanceList = z.object({ instances: z.array(Instance), nextPageToken })
export const DeleteInstanceAnswer = z.object({
  leftPostgresRoles: z
    .array(z.string())
    .optional()
    .describe('Postgres roles that Postern made and could not drop on the database.'),
})
