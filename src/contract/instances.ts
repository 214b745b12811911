import { z } from 'zod'
import { ConnectionReport } from './connection-reports.ts'
import { DataSource, DataSourceInput, DataSourcePatch } from './data-sources.ts'
import { ReadOnlyDataSourceEntry, ReadOnlyDataSourceInput, skipTest } from './data-sources.ts'
import { EngineName, ManageMode } from './engines.ts'
import { nextPageToken, PageQuery } from './paging.ts'

/** User-chosen name of an instance: one host label, because it is the first label of its gateway host name. */
export const InstanceName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 of a-z, 0-9 and -, start with a letter and not end with -',
  )

export const InstanceState = z.enum(['STARTING', 'AVAILABLE', 'UPDATING', 'STOPPED', 'DELETING', 'DELETED', 'FAILED'])
export type InstanceState = z.infer<typeof InstanceState>

const labelKey = /^[a-z][a-z0-9_.-]{0,62}$/
const labelValue = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._/@-]{0,61}[\p{L}\p{N}])?$/u

/** What a list of instances is searched by, and how their catalogue is kept. */
const settings = {
  title: z.string().max(200),
  environment: z.string().min(1).max(63).describe('For example prod, staging or test.'),
  labels: z
    .record(z.string().regex(labelKey, 'a label is named by a-z, 0-9, _, . and -'), z.string().regex(labelValue))
    .refine((labels) => Object.keys(labels).length <= 64, 'at most 64 labels'),
  externalLink: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .describe('Where its provider shows it.'),
  manageMode: ManageMode.describe('Oracle: what is taken for a database, the whole of it or each schema.'),
  syncIntervalSeconds: z
    .number()
    .int()
    .min(60)
    .max(365 * 86_400)
    .describe('How often its catalogue is read again; null: only on demand.'),
  syncDatabases: z
    .array(z.string().min(1).max(255))
    .max(1000)
    .describe('Databases that the catalogue holds; null: all.'),
}

const newSettings = {
  title: settings.title.nullable().optional(),
  environment: settings.environment.nullable().optional(),
  labels: settings.labels.nullable().optional(),
  externalLink: settings.externalLink.nullable().optional(),
  manageMode: settings.manageMode.nullable().optional(),
  syncIntervalSeconds: settings.syncIntervalSeconds.nullable().optional(),
  syncDatabases: settings.syncDatabases.nullable().optional(),
}

export const CreateInstanceInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('external'),
    name: InstanceName,
    engine: EngineName.default('postgres'),
    ...newSettings,
    adminDataSource: DataSourceInput,
    readOnlyDataSources: z.array(ReadOnlyDataSourceInput).max(50).optional(),
    skipTest,
  }),
  z.strictObject({
    kind: z.literal('managed'),
    name: InstanceName,
    engine: z.literal('postgres').default('postgres'),
    ...newSettings,
  }),
])
export type CreateInstanceInput = z.infer<typeof CreateInstanceInput>

export const ValidateOnlyQuery = z.object({
  validateOnly: z.stringbool().default(false).describe('Test the data sources and store nothing.'),
})

/** Who may log in how, and what a revocation does to open sessions. Off, and nobody, unless switched on. */
const loginSettings = {
  nativeLoginEnabled: z.boolean().describe('Postgres roles with passwords may log in.'),
  nativeLoginRoles: z
    .array(z.string().min(1).max(63))
    .max(50)
    .describe(
      'Postgres roles that may log in by password although they are superusers, may replicate or are the user of a data source.',
    ),
  accessTokenLoginEnabled: z
    .boolean()
    .describe('Access tokens of the workspace are taken as passwords, besides database credentials.'),
  endSessionsOnRevocation: z
    .boolean()
    .describe('Open sessions end when the principal is deactivated, leaves the group or loses the Postgres role.'),
}

/** Absent: stays as it is. Null: back to the default. */
export const UpdateInstanceInput = z.strictObject({
  etag: z.string().max(64).optional().describe('etag that the change is based on; another one stored means 409.'),
  skipTest,
  nativeLoginEnabled: loginSettings.nativeLoginEnabled.optional(),
  nativeLoginRoles: loginSettings.nativeLoginRoles.nullable().optional(),
  accessTokenLoginEnabled: loginSettings.accessTokenLoginEnabled.optional(),
  endSessionsOnRevocation: loginSettings.endSessionsOnRevocation.optional(),
  title: settings.title.nullable().optional(),
  environment: settings.environment.nullable().optional(),
  labels: settings.labels.nullable().optional(),
  externalLink: settings.externalLink.nullable().optional(),
  manageMode: settings.manageMode.nullable().optional(),
  syncIntervalSeconds: settings.syncIntervalSeconds.nullable().optional(),
  syncDatabases: settings.syncDatabases.nullable().optional(),
  adminDataSource: DataSourcePatch.optional(),
  readOnlyDataSources: z
    .array(ReadOnlyDataSourceEntry)
    .max(50)
    .optional()
    .describe('All read-only data sources that it is to have: others are removed, new ones added, known ones changed.'),
})
export type UpdateInstanceInput = z.infer<typeof UpdateInstanceInput>

/** Fields of an instance that an update mask names, besides those of its admin data source (`adminDataSource.host`). */
export const INSTANCE_FIELDS = [
  ...(Object.keys(loginSettings) as (keyof typeof loginSettings)[]),
  ...(Object.keys(settings) as (keyof typeof settings)[]),
  'adminDataSource',
  'readOnlyDataSources',
] as const satisfies readonly (keyof UpdateInstanceInput)[]

const updateMask = z
  .string()
  .max(2000)
  .optional()
  .describe(
    'Fields to change, separated by commas: only these are, and one that the body lacks goes back to its default. Absent: the fields of the body.',
  )
export const UpdateInstanceQuery = ValidateOnlyQuery.extend({ updateMask })

export const Instance = z.object({
  uid: z.uuid().describe('Immutable id; credentials are bound to it.'),
  name: InstanceName,
  title: z.string(),
  kind: z.enum(['external', 'managed']),
  engine: EngineName,
  state: InstanceState,
  stateReason: z.string().nullable().describe('Why the state is what it is, when it is not AVAILABLE.'),
  environment: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  externalLink: z.string().nullable(),
  manageMode: ManageMode.nullable(),
  syncIntervalSeconds: z.number().int().nullable(),
  syncDatabases: z.array(z.string()).nullable(),
  serverVersion: z.string().nullable(),
  defaultDatabase: z.string(),
  ...loginSettings,
  gatewayHost: z.string().nullable().describe('Host name that routes to it by SNI; null where people cannot log in.'),
  gatewayPort: z.number().int(),
  creator: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  deletedAt: z.iso.datetime().nullable(),
  etag: z.string(),
  dataSources: z.array(DataSource).describe('Admin first. Empty for managed instances.'),
})
export type Instance = z.infer<typeof Instance>

/** The answer to a change of an instance or of its data sources. */
export const ChangedInstance = Instance.extend({
  connectionTest: ConnectionReport.optional().describe(
    'The good test of the data sources that the change touched: its warnings and missing privileges are worth reading. Absent where nothing was tested.',
  ),
})
export type ChangedInstance = z.infer<typeof ChangedInstance>

/** In what order a list comes; `-` turns it round. Equal ones come in the order of their names. */
export const InstanceOrder = z.enum(['name', 'title', '-title', 'environment', 'createdAt', '-createdAt'])
export type InstanceOrder = z.infer<typeof InstanceOrder>

export const ListInstancesQuery = PageQuery.extend({
  text: z.string().max(200).optional().describe('Text that the name, the title or a host contains, in any case.'),
  engine: EngineName.optional(),
  environment: z.string().max(63).optional(),
  state: InstanceState.optional(),
  label: z
    .union([z.string().max(200), z.array(z.string().max(200)).max(10)])
    .optional()
    .describe('KEY:VALUE, or KEY for any value; several must all be there.'),
  showDeleted: z.stringbool().default(false).describe('Also those that were deleted and not purged.'),
  orderBy: InstanceOrder.default('name'),
})
export const InstanceList = z.object({ instances: z.array(Instance), nextPageToken })

export const DeleteInstanceQuery = z.object({
  purge: z
    .stringbool()
    .default(false)
    .describe('Forget it for good, with its data sources and bindings; its name is free again.'),
})
export const DeleteInstanceAnswer = z.object({
  state: z.enum(['DELETED', 'DELETING', 'PURGED']),
  leftPostgresRoles: z
    .array(z.string())
    .optional()
    .describe('Postgres roles that Postern made and could not drop on the database.'),
})
