import { ExternalSecretField, type DataSourcePatch } from '../../contract/data-sources.ts'
import { SecretReference } from '../../contract/secret-references.ts'
import { CliError } from '../cli-error.ts'
import { readSecret, readTextFile } from '../read-secret.ts'
import type { Terminal } from '../terminal.ts'
import type { ExternalSecretOptions } from './external-secret-options.ts'

type ExternalSecrets = DataSourcePatch['externalSecrets']

/**
 * Where the options say that secrets live. What opens a manager comes from files, from standard input or from a prompt.
 * @throws CliError caller for options that do not fit together, or a file that cannot be read or is no reference
 */
export async function readExternalSecrets(
  terminal: Terminal,
  options: ExternalSecretOptions,
): Promise<ExternalSecrets | undefined> {
  const given: NonNullable<ExternalSecrets> = {}
  for (const [field, file] of Object.entries(options.externalSecret ?? {})) {
    given[readField(field)] = file === 'none' ? null : await readReference(terminal, field, file)
  }
  const passwords = [await readVault(terminal, options), readAws(options), readGcp(options)].filter(
    (reference) => reference !== undefined,
  )
  if (passwords.length + (given.password === undefined ? 0 : 1) > 1) {
    throw misfit('the password can live in one place only', 'Name one secret manager.')
  }
  if (passwords[0] !== undefined) given.password = passwords[0]
  return Object.keys(given).length === 0 ? undefined : given
}

function readField(text: string): ExternalSecretField {
  const field = ExternalSecretField.safeParse(text)
  if (field.success) return field.data
  throw misfit(
    `--external-secret: there is no field ${text}`,
    `Fields are ${ExternalSecretField.options.filter((name) => !/^ssh\.[1-9]/.test(name)).join(', ')}.`,
  )
}

async function readReference(terminal: Terminal, field: string, file: string): Promise<SecretReference> {
  const option = `--external-secret ${field}`
  const text = await readSecret(terminal, file, '', option)
  const json = parseJson(text.reveal())
  const reference = SecretReference.safeParse(json)
  if (reference.success) return reference.data
  const [issue] = reference.error.issues
  const where = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.')
  throw misfit(
    `${option}: ${json === undefined ? 'the file is not JSON' : `${where} is not as it should be`}`,
    'The guide about external secrets shows a reference for each secret manager.',
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function readVault(terminal: Terminal, options: ExternalSecretOptions): Promise<SecretReference | undefined> {
  const { vaultUrl, vaultPath, vaultKey, vaultRoleId } = options
  if (vaultUrl === undefined) {
    const stray = Object.keys(options).find((name) => name.startsWith('vault'))
    if (stray === undefined) return undefined
    throw misfit('options for Vault, and no Vault', 'Name it with --vault-url.')
  }
  if (vaultPath === undefined || vaultKey === undefined) {
    throw misfit('--vault-url needs the path and the key of the secret', 'Give --vault-path and --vault-key.')
  }
  const isAppRole = vaultRoleId !== undefined
  if (isAppRole ? options.vaultTokenFile !== undefined : options.vaultSecretIdFile !== undefined) {
    throw misfit('Vault is logged in to with a token, or with a role id and its secret id', 'Give one of them.')
  }
  const read = async (file: string | undefined, question: string, option: string) => ({
    from: 'literal' as const,
    value: (await readSecret(terminal, file, question, option)).reveal(),
  })
  return {
    source: 'vault_kv',
    url: vaultUrl,
    ...(options.vaultNamespace !== undefined && { namespace: options.vaultNamespace }),
    ...(options.vaultCaFile !== undefined && { tlsCa: await readTextFile(options.vaultCaFile, '--vault-ca-file') }),
    auth: isAppRole
      ? {
          method: 'app_role',
          roleId: vaultRoleId,
          secretId: await read(options.vaultSecretIdFile, 'Secret id for Vault: ', '--vault-secret-id-file'),
          mountPath: 'approle',
        }
      : { method: 'token', token: await read(options.vaultTokenFile, 'Token for Vault: ', '--vault-token-file') },
    engineName: options.vaultEngine ?? 'secret',
    path: vaultPath,
    key: vaultKey,
  }
}

function readAws({ awsSecret, awsSecretKey, awsRegion }: ExternalSecretOptions): SecretReference | undefined {
  if (awsSecret === undefined) {
    if (awsSecretKey === undefined) return undefined
    throw misfit('--aws-secret-key, and no secret', 'Name it with --aws-secret.')
  }
  return {
    source: 'aws_secrets_manager',
    name: awsSecret,
    versionStage: 'AWSCURRENT',
    ...(awsSecretKey !== undefined && { key: awsSecretKey }),
    ...(awsRegion !== undefined && { region: awsRegion }),
  }
}

function readGcp({ gcpSecret }: ExternalSecretOptions): SecretReference | undefined {
  return gcpSecret === undefined ? undefined : { source: 'gcp_secret_manager', name: gcpSecret }
}

function misfit(message: string, hint: string): CliError {
  return new CliError('caller', message, { hint })
}
