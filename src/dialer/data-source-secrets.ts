import type { Secret } from '../base/secret.ts'

/** Secrets of one SSH hop, which is named by its place in the route: `ssh.0.password`. */
export type SshSecretField = `ssh.${number}.${'password' | 'privateKey' | 'passphrase'}`

/** Every place of a data source where a secret may stand. Each is sealed, and later resolved, on its own. */
export type SecretField =
  | 'password'
  | 'tlsClientKey'
  /** Snowflake key pair (PKCS#8 PEM) and its passphrase. */
  | 'privateKey'
  | 'privateKeyPassphrase'
  /** Snowflake programmatic access token or OAuth token. */
  | 'accessToken'
  /** JSON key of a Google service account. */
  | 'serviceAccount'
  | SshSecretField

/** The opened secrets of a data source, for one attempt to reach it. */
export type DataSourceSecrets = Readonly<Partial<Record<SecretField, Secret>>>
