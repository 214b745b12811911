import { z } from 'zod'
import { EngineField, LoginMethod } from './engines.ts'
import { SecretReference } from './secret-references.ts'
import { TlsMode } from './tls-mode.ts'

/** User-chosen handle of a data source, unique in its instance; the admin data source has the name `admin`. */
export const DataSourceName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 of a-z, 0-9 and -, start with a letter and not end with -',
  )

const text = (longest: number) => z.string().max(longest)
const pem = text(256 * 1024)
const privateKey = text(64 * 1024).min(1)
const password = text(4096).min(1)
const writeOnly = 'Write-only: no answer ever holds it.'

const hopNumbers = [0, 1, 2, 3, 4] as const

/** The secrets that may live elsewhere, and the user name, which some managers make together with the password. */
export const ExternalSecretField = z.enum([
  'username',
  'password',
  'privateKey',
  'privateKeyPassphrase',
  'accessToken',
  'serviceAccount',
  'awsCredentials',
  'azureClientSecret',
  'tlsClientKey',
  ...hopNumbers.flatMap((hop) => [`ssh.${hop}.password`, `ssh.${hop}.privateKey`, `ssh.${hop}.passphrase`] as const),
])
export type ExternalSecretField = z.infer<typeof ExternalSecretField>

/** Fingerprint of an SSH host key, as `ssh-keygen -l` prints it. */
const HostKey = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'must be SHA256: and 43 characters, as ssh-keygen -l prints it')

const hop = {
  host: text(253).min(1),
  port: z.number().int().min(1).max(65_535),
  username: text(255).min(1),
  auth: z.enum(['password', 'private_key']),
}

/** One SSH server on the way to the database. A list of them is passed in its order. */
export const SshHopInput = z.strictObject({
  ...hop,
  port: hop.port.default(22),
  hostKey: HostKey.nullable()
    .optional()
    .describe('Fingerprint of its host key. Absent: nothing is sent to it, and the failure tells the fingerprint.'),
  password: password.optional().describe(writeOnly),
  privateKey: privateKey.optional().describe(`OpenSSH, PEM or PKCS#8. ${writeOnly}`),
  passphrase: password.optional().describe(`Of the private key. ${writeOnly}`),
  generatedKeyId: z.uuid().optional().describe('A key pair that Postern made, instead of a private key.'),
})
export type SshHopInput = z.infer<typeof SshHopInput>

const tlsFiles = z.strictObject({
  ca: text(1024).optional(),
  certificate: text(1024).optional(),
  key: text(1024).optional(),
})

/**
 * What can be said of a data source. Absent at its creation: the engine's default. Which engine takes which of them is in the
 * engine's row (`GET /v1/engines`); what an engine cannot honour is refused.
 */
const fields = {
  title: text(200),
  weight: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .describe('Of read-only data sources that are equally good, the heaviest one is used (default: 1).'),
  host: text(253),
  port: z.number().int().min(1).max(65_535),
  database: text(255),
  username: text(255),
  loginMethod: LoginMethod,
  password: password.describe(writeOnly),
  privateKey: privateKey.describe(`Snowflake key pair. ${writeOnly}`),
  privateKeyPassphrase: password.describe(writeOnly),
  accessToken: text(16 * 1024)
    .min(1)
    .describe(writeOnly),
  serviceAccount: text(16 * 1024)
    .min(1)
    .describe(
      `JSON key of a Google service account. Absent with gcp_iam: the Google identity of this node, where its operator allows it. ${writeOnly}`,
    ),
  awsCredentials: text(16 * 1024)
    .min(1)
    .describe(
      `JSON with accessKeyId, secretAccessKey and, of temporary keys, sessionToken. Absent: the AWS identity of this node, where its operator allows it. ${writeOnly}`,
    ),
  azureClientSecret: text(1024)
    .min(1)
    .describe(
      `Client secret of a Microsoft Entra application. Absent: the application of this node, where its operator allows it. ${writeOnly}`,
    ),
  tlsMode: TlsMode,
  tlsCa: pem.describe(
    'PEM bundle of the certificate authorities to trust; absent means those of RDS for its endpoints, else the public ones.',
  ),
  tlsClientCertificate: pem.describe('PEM chain of the certificate that Postern presents.'),
  tlsClientKey: privateKey.describe(`Key of the client certificate. ${writeOnly}`),
  tlsFiles: tlsFiles.describe(
    'The same from files of the machine that Postern runs on, in folders that its operator allows.',
  ),
  ssh: z.array(SshHopInput).max(5).describe('SSH servers to go through, the one next to Postern first.'),
  fields: z
    .partialRecord(EngineField, text(1024))
    .describe('What the engine needs beyond host, port, database and user.'),
  extraParameters: z.record(z.string().max(64), text(1024)),
  externalSecrets: z
    .partialRecord(ExternalSecretField, SecretReference.nullable())
    .describe('Where secrets live that do not live with Postern, by their fields; null: this one no longer does.'),
}

/** Fields of a data source, as an update mask names them. */
export const DATA_SOURCE_FIELDS = Object.keys(fields) as readonly (keyof typeof fields)[]

export const DataSourceInput = z.strictObject({
  title: fields.title.optional(),
  weight: fields.weight.optional(),
  host: fields.host.optional(),
  port: fields.port.optional(),
  database: fields.database.optional(),
  username: fields.username.optional(),
  loginMethod: fields.loginMethod.optional(),
  password: fields.password.optional(),
  privateKey: fields.privateKey.optional(),
  privateKeyPassphrase: fields.privateKeyPassphrase.optional(),
  accessToken: fields.accessToken.optional(),
  serviceAccount: fields.serviceAccount.optional(),
  awsCredentials: fields.awsCredentials.optional(),
  azureClientSecret: fields.azureClientSecret.optional(),
  tlsMode: fields.tlsMode.optional(),
  tlsCa: fields.tlsCa.optional(),
  tlsClientCertificate: fields.tlsClientCertificate.optional(),
  tlsClientKey: fields.tlsClientKey.optional(),
  tlsFiles: fields.tlsFiles.optional(),
  ssh: fields.ssh.optional(),
  fields: fields.fields.optional(),
  extraParameters: fields.extraParameters.optional(),
  externalSecrets: fields.externalSecrets.optional(),
})
export type DataSourceInput = z.infer<typeof DataSourceInput>

/** A change of a data source. Absent: stays as it is. Null: back to the default; a secret is removed. */
export const DataSourcePatch = z.strictObject({
  title: fields.title.nullable().optional(),
  weight: fields.weight.nullable().optional(),
  host: fields.host.nullable().optional(),
  port: fields.port.nullable().optional(),
  database: fields.database.nullable().optional(),
  username: fields.username.nullable().optional(),
  loginMethod: fields.loginMethod.nullable().optional(),
  password: fields.password.nullable().optional(),
  privateKey: fields.privateKey.nullable().optional(),
  privateKeyPassphrase: fields.privateKeyPassphrase.nullable().optional(),
  accessToken: fields.accessToken.nullable().optional(),
  serviceAccount: fields.serviceAccount.nullable().optional(),
  awsCredentials: fields.awsCredentials.nullable().optional(),
  azureClientSecret: fields.azureClientSecret.nullable().optional(),
  tlsMode: fields.tlsMode.nullable().optional(),
  tlsCa: fields.tlsCa.nullable().optional(),
  tlsClientCertificate: fields.tlsClientCertificate.nullable().optional(),
  tlsClientKey: fields.tlsClientKey.nullable().optional(),
  tlsFiles: fields.tlsFiles.nullable().optional(),
  ssh: fields.ssh.nullable().optional(),
  fields: fields.fields.nullable().optional(),
  extraParameters: fields.extraParameters.nullable().optional(),
  externalSecrets: fields.externalSecrets.nullable().optional(),
})
export type DataSourcePatch = z.infer<typeof DataSourcePatch>

export const ReadOnlyDataSourceInput = DataSourceInput.extend({
  name: DataSourceName.optional().describe('Absent: read-only-1, or the next number that is free.'),
})
export type ReadOnlyDataSourceInput = z.infer<typeof ReadOnlyDataSourceInput>

/** One of the read-only data sources that an instance is to have: an existing one by its name or id, changed as a patch says. */
export const ReadOnlyDataSourceEntry = DataSourcePatch.extend({
  id: z.uuid().optional(),
  name: DataSourceName.optional(),
})
export type ReadOnlyDataSourceEntry = z.infer<typeof ReadOnlyDataSourceEntry>

const etag = z.string().max(64).optional().describe('etag of the instance that the change is based on.')
export const skipTest = z
  .boolean()
  .optional()
  .describe('Store it without a good connection test. It is audited, and the data source shows `tested: false`.')

export const AddDataSourceInput = ReadOnlyDataSourceInput.extend({ etag, skipTest })
export type AddDataSourceInput = z.infer<typeof AddDataSourceInput>
export const UpdateDataSourceInput = DataSourcePatch.extend({ etag, skipTest })
export type UpdateDataSourceInput = z.infer<typeof UpdateDataSourceInput>

/** An X.509 certificate that a data source holds. */
const HeldCertificate = z.object({
  use: z.enum(['ca', 'client']),
  subject: z.string(),
  issuer: z.string(),
  notAfter: z.iso.datetime(),
  daysLeft: z.number().int().describe('Whole days until it ends; negative once it has.'),
})

export const DataSource = z.object({
  id: z.uuid(),
  name: DataSourceName,
  type: z.enum(['admin', 'read_only']),
  title: z.string(),
  weight: z.number().int(),
  host: z.string(),
  port: z.number().int(),
  database: z.string(),
  username: z.string(),
  loginMethod: LoginMethod,
  passwordSet: z.boolean(),
  privateKeySet: z.boolean(),
  privateKeyPassphraseSet: z.boolean(),
  accessTokenSet: z.boolean(),
  serviceAccountSet: z.boolean(),
  awsCredentialsSet: z.boolean(),
  azureClientSecretSet: z.boolean(),
  tlsMode: TlsMode,
  tlsCa: z.string().nullable(),
  tlsClientCertificate: z.string().nullable(),
  tlsClientKeySet: z.boolean(),
  tlsFiles,
  certificates: z.array(HeldCertificate),
  ssh: z.array(
    z.object({
      ...hop,
      hostKey: z.string().nullable(),
      publicKey: z.string().nullable().describe('Public half of its key, for authorized_keys.'),
      generatedKeyId: z.uuid().nullable(),
      passwordSet: z.boolean(),
      privateKeySet: z.boolean(),
      passphraseSet: z.boolean(),
    }),
  ),
  fields: z.partialRecord(EngineField, z.string()),
  extraParameters: z.record(z.string(), z.string()),
  externalSecrets: z
    .partialRecord(ExternalSecretField, z.looseObject({ source: z.string() }))
    .describe('Where the secrets live that do not live with Postern, without what is write-only of it.'),
  tested: z.boolean().describe('False: stored without a good connection test, and none was good since.'),
  lastCheck: z
    .object({
      checkedAt: z.iso.datetime(),
      ok: z.boolean(),
      code: z.string().nullable(),
      lagSeconds: z.number().nullable(),
    })
    .nullable()
    .describe('What the last check of its health found.'),
})
export type DataSource = z.infer<typeof DataSource>

export const DataSourceList = z.object({ dataSources: z.array(DataSource) })
