import { z } from 'zod'
import { withoutWriteOnly, writeOnly } from './write-only.ts'

const url = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .regex(/^[^/?#]*\/\/[^/?#@]*([/?#]|$)/, 'must name no user')
  .describe('Plain http only to this machine.')
const pem = z.string().max(64 * 1024)
const name = z.string().min(1).max(512)
const key = z.string().min(1).max(256)

/** Where the secret of a login to Vault comes from: sent with the reference and sealed, or from what the operator has allowed. */
export const OperatorSource = z.discriminatedUnion('from', [
  z.strictObject({ from: z.literal('literal'), value: writeOnly(z.string().min(1).max(8192)) }),
  z.strictObject({ from: z.literal('environment'), name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/) }),
  z.strictObject({ from: z.literal('file'), path: z.string().startsWith('/').max(1024) }),
])

const VaultAuth = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token'), token: OperatorSource }),
  z.strictObject({
    method: z.literal('app_role'),
    roleId: name,
    secretId: OperatorSource,
    mountPath: name.default('approle'),
  }),
])

const vaultServer = {
  url,
  namespace: name.optional(),
  auth: VaultAuth,
  tlsCa: pem.optional().describe('PEM bundle to trust instead of the public authorities.'),
  tlsClientCertificate: pem.optional(),
  tlsClientKey: writeOnly(pem).optional(),
}

/** HashiCorp Vault, KV version 2. */
export const VaultKvReference = z.strictObject({
  source: z.literal('vault_kv'),
  ...vaultServer,
  engineName: name.describe('Mount path of the KV version 2 engine, for example secret.'),
  path: name,
  key,
  version: z.number().int().min(1).optional().describe('Absent: the newest one.'),
})

/** HashiCorp Vault, database secrets engine: user and password made for us, under a lease that Postern renews. */
export const VaultDatabaseReference = z.strictObject({
  source: z.literal('vault_database'),
  ...vaultServer,
  engineName: name.default('database'),
  role: name,
  key: z.enum(['username', 'password']).default('password'),
})

/** Credentials of an AWS identity. Absent: what the machine itself is trusted with, within the operator's allow-list. */
export const AwsCredentials = z.strictObject({
  accessKeyId: z.string().min(16).max(128),
  secretAccessKey: writeOnly(z.string().min(1).max(256)),
  sessionToken: writeOnly(z.string().max(8192)).optional(),
})

/** Role to assume. */
export const AwsRoleArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/, 'must be the ARN of an IAM role')
export const AwsRegion = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as us-east-1')

/** What a role may ask of whoever assumes it. */
export const AwsExternalId = z.string().min(2).max(1224)

export const AwsSecretReference = z.strictObject({
  source: z.literal('aws_secrets_manager'),
  name: name.describe('Name or ARN of the secret.'),
  key: key.optional().describe('Key inside the JSON of the secret. Absent: the secret is a plain string.'),
  region: AwsRegion.optional().describe('Absent: that of the ARN, else AWS_REGION.'),
  versionStage: z.string().min(1).max(256).default('AWSCURRENT'),
  credentials: AwsCredentials.optional(),
  roleArn: AwsRoleArn.optional(),
  externalId: AwsExternalId.optional(),
  endpoint: url.optional().describe('Another address of the service, for example of a VPC endpoint.'),
})

export const GcpSecretReference = z.strictObject({
  source: z.literal('gcp_secret_manager'),
  name: z
    .string()
    .regex(
      /^projects\/[a-z0-9:.-]{1,64}\/secrets\/[A-Za-z0-9_-]{1,255}(\/versions\/(\d{1,18}|latest|[A-Za-z][A-Za-z0-9_-]{0,62}))?$/,
      'must be of the form projects/PROJECT/secrets/SECRET or projects/PROJECT/secrets/SECRET/versions/VERSION',
    ),
  serviceAccount: writeOnly(z.string().max(16 * 1024))
    .optional()
    .describe('JSON key. Absent: GOOGLE_APPLICATION_CREDENTIALS or the machine itself.'),
  endpoint: url.optional(),
})

export const AzureSecretReference = z.strictObject({
  source: z.literal('azure_key_vault'),
  vaultUrl: url.describe('For example https://my-vault.vault.azure.net.'),
  name: z.string().regex(/^[A-Za-z0-9-]{1,127}$/),
  version: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  tenantId: z.string().min(1).max(128).optional(),
  clientId: z.string().min(1).max(128).optional(),
  clientSecret: writeOnly(z.string().max(1024)).optional(),
})

/** A service of one's own: GET, and the answer is `{"payload":{"data":"<base64>"}}`. */
export const EndpointReference = z.strictObject({
  source: z.literal('endpoint'),
  url,
  headers: writeOnly(z.record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.string().max(4096))).optional(),
  tlsCa: pem.optional(),
})

export type VaultKvReference = z.infer<typeof VaultKvReference>
export type VaultDatabaseReference = z.infer<typeof VaultDatabaseReference>
export type VaultServer = Pick<VaultKvReference, keyof typeof vaultServer>
export type AwsCredentials = z.infer<typeof AwsCredentials>
export type AwsSecretReference = z.infer<typeof AwsSecretReference>
export type GcpSecretReference = z.infer<typeof GcpSecretReference>
export type AzureSecretReference = z.infer<typeof AzureSecretReference>
export type EndpointReference = z.infer<typeof EndpointReference>

/** Where a secret lives, when it does not live with Postern. */
export const SecretReference = z
  .discriminatedUnion('source', [
    VaultKvReference,
    VaultDatabaseReference,
    AwsSecretReference,
    GcpSecretReference,
    AzureSecretReference,
    EndpointReference,
  ])
  .meta({ id: 'SecretReference' })
export type SecretReference = z.infer<typeof SecretReference>

/**
 * What may be shown of a reference: where the secret lives, and not how we log in there. It is also what names the place in
 * the destination of a data source's secrets.
 */
export function publicReference(reference: SecretReference): Readonly<Record<string, unknown>> {
  return withoutWriteOnly(SecretReference, reference) as Readonly<Record<string, unknown>>
}
