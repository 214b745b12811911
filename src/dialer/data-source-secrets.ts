import type { Secret } from '../base/secret.ts'

/** Secrets of one SSH hop, which is named by its place in the route: `ssh.0.password`. */
export type SshSecretField = `ssh.${number}.${'password' | 'privateKey' | 'passphrase'}`

/** Every place of a data source where a secret may stand. Each is sealed, and later resolved, on its own. */
export type SecretField =
  /** Only as a reference: a manager that makes users names them itself. */
  | 'username'
  | 'password'
  | 'tlsClientKey'
  /** Snowflake key pair (PKCS#8 PEM) and its passphrase. */
  | 'privateKey'
  | 'privateKeyPassphrase'
  /** Snowflake programmatic access token or OAuth token. */
  | 'accessToken'
  /** JSON key of a Google service account. */
  | 'serviceAccount'
  /** JSON of AwsCredentials. */
  | 'awsCredentials'
  /** Client secret of a Microsoft Entra application. */
  | 'azureClientSecret'
  | SshSecretField

/** The opened secrets of a data source, for one attempt to reach it. */
export type DataSourceSecrets = Readonly<Partial<Record<SecretField, Secret>>>

/** Where a secret lives that does not live with Postern, without anything secret of it. */
export type PublicReference = Readonly<Record<string, unknown>>

/** By the field whose secret is meant. */
export type PublicReferences = Readonly<Partial<Record<SecretField, PublicReference>>>
