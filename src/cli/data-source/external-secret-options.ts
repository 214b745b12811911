import { InvalidArgumentError, type Command } from 'commander'

/** Options that say where a secret lives that does not live with Postern. */
export interface ExternalSecretOptions {
  /** File of the JSON of a reference, or -, by the field of the secret. */
  readonly externalSecret?: Readonly<Record<string, string>>
  readonly vaultUrl?: string
  readonly vaultNamespace?: string
  readonly vaultCaFile?: string
  readonly vaultEngine?: string
  readonly vaultPath?: string
  readonly vaultKey?: string
  readonly vaultTokenFile?: string
  readonly vaultRoleId?: string
  readonly vaultSecretIdFile?: string
  readonly awsSecret?: string
  readonly awsSecretKey?: string
  readonly awsRegion?: string
  readonly gcpSecret?: string
}

export function defineExternalSecretOptions(command: Command): void {
  command
    .option(
      '--external-secret <field=file>',
      'JSON of where a secret lives (password, username, ssh.0.password …), or field=-; field=none: no more',
      fieldFiles,
    )
    .option('--vault-url <url>', 'the password lives in this HashiCorp Vault, KV version 2')
    .option('--vault-namespace <name>', 'its namespace')
    .option('--vault-ca-file <file>', 'PEM file of the authorities of its certificate; default: the public ones')
    .option('--vault-engine <name>', 'mount path of the engine (default: secret)')
    .option('--vault-path <path>', 'path of the secret in the engine')
    .option('--vault-key <key>', 'key inside the secret')
    .option('--vault-token-file <file>', 'file that holds a token, or -')
    .option('--vault-role-id <id>', 'AppRole: role id')
    .option('--vault-secret-id-file <file>', 'AppRole: file that holds the secret id, or -')
    .option('--aws-secret <name>', 'the password lives in AWS Secrets Manager, read with the identity of the node')
    .option('--aws-secret-key <key>', 'key inside the secret; default: the secret is a plain string')
    .option('--aws-region <region>', 'region of the secret')
    .option('--gcp-secret <name>', 'the password lives in GCP Secret Manager: projects/…/secrets/…')
}

function fieldFiles(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('It must be of the form field=file.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}
