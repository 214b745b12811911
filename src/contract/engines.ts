import { z } from 'zod'
import type { TlsMode } from './tls-mode.ts'

/** Makes of database. Amazon RDS, Aurora and Cloud SQL are reached as `postgres` or `mysql`. */
export const EngineName = z.enum([
  'postgres',
  'cockroachdb',
  'redshift',
  'mysql',
  'mariadb',
  'tidb',
  'clickhouse',
  'oracle',
  'snowflake',
  'spanner',
])
export type EngineName = z.infer<typeof EngineName>

/** How a data source logs in. */
export const LoginMethod = z.enum([
  /** User and password; for ClickHouse by HTTP. */
  'password',
  /** Snowflake: a key pair, whose public half the user was given (ALTER USER … SET RSA_PUBLIC_KEY). */
  'key_pair',
  /** Snowflake: a programmatic access token or an OAuth token of somebody else's making. */
  'access_token',
  /** Spanner: the JSON key of a Google service account. */
  'service_account',
  /** Spanner: what the machine itself is trusted with (GOOGLE_APPLICATION_CREDENTIALS, metadata server). */
  'ambient',
  /** Amazon RDS and Aurora: a token that an AWS identity signs for this user, instead of a password. */
  'aws_iam',
  /** Google Cloud SQL: a Google identity reaches the instance and logs in; the host is its connection name. */
  'gcp_iam',
  /** Azure Database: an access token of a Microsoft Entra application, instead of a password. */
  'azure_entra',
])
export type LoginMethod = z.infer<typeof LoginMethod>

/** Fields of a data source beyond host, port, database and user that some engines need. */
export const EngineField = z.enum([
  'serviceName',
  'sid',
  'projectId',
  'instanceId',
  'account',
  'warehouse',
  'snowflakeRole',
  'awsRegion',
  'awsRoleArn',
  'awsExternalId',
  'cloudSqlIpType',
  'azureTenantId',
  'azureClientId',
])
export type EngineField = z.infer<typeof EngineField>

/** The login method that a field belongs to: with another one it has no effect. */
export const FIELD_LOGIN_METHOD: Readonly<Partial<Record<EngineField, LoginMethod>>> = {
  awsRegion: 'aws_iam',
  awsRoleArn: 'aws_iam',
  awsExternalId: 'aws_iam',
  cloudSqlIpType: 'gcp_iam',
  azureTenantId: 'azure_entra',
  azureClientId: 'azure_entra',
}

/** Whether a field must be there, may be there, or is refused. */
export type FieldUse = 'required' | 'optional' | 'refused'

/** A driver or session setting that a data source may carry. Nothing else is passed on (no string is ever concatenated). */
export interface ExtraParameter {
  readonly description: string
  /** The values that are accepted: a list, or whole numbers of a range. */
  readonly values: readonly string[] | { readonly from: number; readonly to: number } | { readonly pattern: string }
}

/** What an engine can do. The API's validation, the form and the reference page are derived from these rows alone. */
export interface EngineCapabilities {
  readonly title: string
  readonly family: 'postgres' | 'mysql' | 'clickhouse' | 'oracle' | 'snowflake' | 'spanner'
  /** Null where there is no port of its own to fill in (Snowflake, Spanner: HTTPS). */
  readonly defaultPort: number | null
  readonly defaultDatabase: string
  readonly host: FieldUse
  readonly database: FieldUse
  readonly username: FieldUse
  readonly fields: Readonly<Partial<Record<EngineField, FieldUse>>>
  /** At least one of these must be given (Oracle: service name or SID). */
  readonly oneOf: readonly EngineField[]
  readonly tlsModes: readonly TlsMode[]
  readonly clientCertificate: boolean
  readonly ssh: boolean
  readonly loginMethods: readonly LoginMethod[]
  /** How a read-only session is held to reading: by each transaction, by the session, by the request's setting, or not at all. */
  readonly readOnly: 'transaction' | 'session' | 'setting' | 'statement-kind'
  readonly extraParameters: Readonly<Record<string, ExtraParameter>>
  /** Whether people can sign in through the gateway with a database credential. */
  readonly gateway: boolean
  /** Manage modes that can be chosen; empty where databases are simply databases. */
  readonly manageModes: readonly ManageMode[]
}

/** Oracle: what Postern takes for a database, the whole of it (CDB, PDBs) or each schema. */
export const ManageMode = z.enum(['database', 'schema'])
export type ManageMode = z.infer<typeof ManageMode>

/** What Amazon RDS and Aurora offer: they are reached as these engines. */
const awsIam = {
  fields: { awsRegion: 'optional', awsRoleArn: 'optional', awsExternalId: 'optional' },
  loginMethods: ['password', 'aws_iam'],
} as const satisfies Partial<EngineCapabilities>

/** Cloud SQL and Azure Database offer these engines too; neither offers MariaDB. */
const cloudIam = {
  fields: { ...awsIam.fields, cloudSqlIpType: 'optional', azureTenantId: 'optional', azureClientId: 'optional' },
  loginMethods: [...awsIam.loginMethods, 'gcp_iam', 'azure_entra'],
} as const satisfies Partial<EngineCapabilities>

const ALL_TLS: readonly TlsMode[] = ['disable', 'require', 'verify-ca', 'verify-full']
const milliseconds = (description: string): ExtraParameter => ({ description, values: { from: 0, to: 86_400_000 } })

const postgresLike = {
  family: 'postgres',
  defaultDatabase: 'postgres',
  host: 'required',
  database: 'optional',
  username: 'required',
  fields: {},
  oneOf: [],
  tlsModes: ALL_TLS,
  clientCertificate: true,
  ssh: true,
  loginMethods: ['password'],
  readOnly: 'transaction',
  extraParameters: {
    application_name: {
      description: 'Name that the server shows for our sessions.',
      values: { pattern: '^[ -~]{1,63}$' },
    },
    statement_timeout: milliseconds('Longest time of a statement in milliseconds, within the limit of Postern itself.'),
    lock_timeout: milliseconds('Longest wait for a lock in milliseconds.'),
    target_session_attrs: {
      description: 'Refuse a server that is not of this kind.',
      values: ['any', 'read-write', 'read-only', 'primary', 'standby'],
    },
  },
  gateway: false,
  manageModes: [],
} as const satisfies Omit<EngineCapabilities, 'title' | 'defaultPort'>

const mysqlLike = {
  family: 'mysql',
  defaultDatabase: '',
  host: 'required',
  database: 'optional',
  username: 'required',
  fields: {},
  oneOf: [],
  tlsModes: ALL_TLS,
  clientCertificate: true,
  ssh: true,
  loginMethods: ['password'],
  readOnly: 'transaction',
  extraParameters: {
    charset: { description: 'Character set of the session.', values: ['utf8mb4', 'utf8', 'latin1', 'ascii', 'binary'] },
    timezone: {
      description: "Time zone of the session; SYSTEM is the server's own.",
      values: { pattern: '^(Z|SYSTEM|[+-]\\d\\d:\\d\\d)$' },
    },
    sql_mode: { description: 'SQL mode of the session.', values: { pattern: '^[A-Z_,]{0,400}$' } },
  },
  gateway: false,
  manageModes: [],
} as const satisfies Omit<EngineCapabilities, 'title' | 'defaultPort'>

/** Every engine's row, once. */
export const ENGINE_CAPABILITIES: Readonly<Record<EngineName, EngineCapabilities>> = {
  postgres: { ...postgresLike, ...cloudIam, title: 'PostgreSQL', defaultPort: 5432, gateway: true },
  cockroachdb: { ...postgresLike, title: 'CockroachDB', defaultPort: 26_257, defaultDatabase: 'defaultdb' },
  redshift: { ...postgresLike, title: 'Amazon Redshift', defaultPort: 5439, defaultDatabase: 'dev' },
  mysql: { ...mysqlLike, ...cloudIam, title: 'MySQL', defaultPort: 3306 },
  mariadb: { ...mysqlLike, ...awsIam, title: 'MariaDB', defaultPort: 3306 },
  tidb: { ...mysqlLike, title: 'TiDB', defaultPort: 4000 },
  clickhouse: {
    title: 'ClickHouse',
    family: 'clickhouse',
    defaultPort: 8443,
    defaultDatabase: 'default',
    host: 'required',
    database: 'optional',
    username: 'required',
    fields: {},
    oneOf: [],
    tlsModes: ALL_TLS,
    clientCertificate: true,
    ssh: true,
    loginMethods: ['password'],
    readOnly: 'setting',
    extraParameters: {
      max_execution_time: { description: 'Longest time of a query in seconds.', values: { from: 1, to: 86_400 } },
      max_memory_usage: { description: 'Memory of a query in bytes.', values: { from: 0, to: 1_099_511_627_776 } },
    },
    gateway: false,
    manageModes: [],
  },
  oracle: {
    title: 'Oracle',
    family: 'oracle',
    defaultPort: 1521,
    defaultDatabase: '',
    host: 'required',
    database: 'refused',
    username: 'required',
    fields: { serviceName: 'optional', sid: 'optional' },
    oneOf: ['serviceName', 'sid'],
    tlsModes: ALL_TLS,
    clientCertificate: true,
    ssh: true,
    loginMethods: ['password'],
    readOnly: 'transaction',
    extraParameters: {},
    gateway: false,
    manageModes: ['database', 'schema'],
  },
  snowflake: {
    title: 'Snowflake',
    family: 'snowflake',
    defaultPort: null,
    defaultDatabase: '',
    host: 'optional',
    database: 'optional',
    username: 'required',
    fields: { account: 'required', warehouse: 'optional', snowflakeRole: 'optional' },
    oneOf: [],
    tlsModes: ['verify-full'],
    clientCertificate: false,
    ssh: false,
    loginMethods: ['key_pair', 'access_token'],
    readOnly: 'statement-kind',
    extraParameters: {},
    gateway: false,
    manageModes: [],
  },
  spanner: {
    title: 'Google Cloud Spanner',
    family: 'spanner',
    defaultPort: null,
    defaultDatabase: '',
    host: 'optional',
    database: 'optional',
    username: 'refused',
    fields: { projectId: 'required', instanceId: 'required' },
    oneOf: [],
    tlsModes: ['verify-full', 'disable'],
    clientCertificate: false,
    ssh: false,
    loginMethods: ['service_account', 'ambient'],
    readOnly: 'transaction',
    extraParameters: {},
    gateway: false,
    manageModes: [],
  },
}
