import type { DataSourcePatch, SshHopInput } from '../../contract/data-sources.ts'
import { CliError } from '../cli-error.ts'
import { readSecret, readTextFile } from '../read-secret.ts'
import type { Terminal } from '../terminal.ts'
import type { DataSourceOptions } from './data-source-options.ts'
import { readExternalSecrets } from './read-external-secrets.ts'

/** What the options say of a data source, as the API takes it. */
export type DataSourceBody = Omit<DataSourcePatch, 'ssh'> & { ssh?: SshHopInput[] | null }

/**
 * Reads the given options, and the files that they name. Only what was given is in the body.
 * @throws CliError caller for options that do not fit together, or a file that cannot be read
 */
export async function readDataSource(terminal: Terminal, options: DataSourceOptions): Promise<DataSourceBody> {
  requireOneStandardInput(options)
  const secret = async (file: string | undefined, option: string) =>
    file === undefined ? undefined : (await readSecret(terminal, file, '', option)).reveal()
  const text = async (file: string | undefined, option: string) =>
    file === undefined ? undefined : readTextFile(file, option)
  return withoutUndefined({
    weight: options.weight,
    host: options.hostName,
    port: options.port,
    database: options.database,
    username: options.username,
    loginMethod: options.loginMethod,
    password: options.password === false ? null : await secret(options.passwordFile, '--password-file'),
    privateKey: await secret(options.privateKeyFile, '--private-key-file'),
    privateKeyPassphrase: await secret(options.privateKeyPassphraseFile, '--private-key-passphrase-file'),
    accessToken: await secret(options.accessTokenFile, '--access-token-file'),
    serviceAccount: await secret(options.serviceAccountFile, '--service-account-file'),
    awsCredentials: await secret(options.awsCredentialsFile, '--aws-credentials-file'),
    azureClientSecret: await secret(options.azureClientSecretFile, '--azure-client-secret-file'),
    tlsMode: options.tlsMode,
    tlsCa: options.tlsCa === false ? null : await text(options.tlsCaFile, '--tls-ca-file'),
    tlsClientCertificate:
      options.tlsCertificate === false ? null : await text(options.tlsCertificateFile, '--tls-certificate-file'),
    tlsClientKey: options.tlsCertificate === false ? null : await secret(options.tlsKeyFile, '--tls-key-file'),
    tlsFiles: options.tlsServerFile,
    ssh: options.ssh === false ? null : await readHops(options, secret),
    fields: options.field,
    extraParameters: options.parameter,
    externalSecrets: await readExternalSecrets(terminal, options),
  })
}

async function readHops(
  options: DataSourceOptions,
  secret: (file: string | undefined, option: string) => Promise<string | undefined>,
): Promise<SshHopInput[] | undefined> {
  if (!Array.isArray(options.ssh)) {
    const stray = (['sshPrivateKeyFile', 'sshPassphraseFile', 'sshPasswordFile', 'sshKey', 'hostKey'] as const).find(
      (name) => options[name] !== undefined,
    )
    if (stray === undefined) return undefined
    throw new CliError('caller', 'options for an SSH server, and no SSH server', { hint: 'Name it with --ssh.' })
  }
  const servers = options.ssh as readonly string[]
  const hops: SshHopInput[] = []
  for (const [index, server] of servers.entries()) {
    const nth = (values: readonly string[] | undefined) =>
      values?.[index] ?? (values?.length === 1 ? values[0] : undefined)
    const password = await secret(nth(options.sshPasswordFile), '--ssh-password-file')
    hops.push(
      withoutUndefined({
        ...readServer(server),
        auth: password === undefined ? ('private_key' as const) : ('password' as const),
        password,
        privateKey: await secret(nth(options.sshPrivateKeyFile), '--ssh-private-key-file'),
        passphrase: await secret(nth(options.sshPassphraseFile), '--ssh-passphrase-file'),
        generatedKeyId: nth(options.sshKey),
        hostKey: options.hostKey?.[index],
      }),
    )
  }
  return hops
}

/** `user@host`, `user@host:port` or `user@[::1]:port`. */
function readServer(text: string): { username: string; host: string; port: number } {
  const match = /^([^@]+)@(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[2] ?? match?.[3]
  if (match?.[1] !== undefined && host !== undefined) return { username: match[1], host, port: Number(match[4] ?? 22) }
  throw new CliError('caller', `--ssh ${text} names no SSH server`, {
    hint: 'Write it as user@host or user@host:port.',
  })
}

/** Standard input is one stream: it can be only one secret. */
function requireOneStandardInput(options: DataSourceOptions): void {
  const sources = [...Object.values(options), ...Object.values(options.externalSecret ?? {})].flatMap((value) =>
    Array.isArray(value) ? value : [value],
  )
  if (sources.filter((source) => source === '-').length <= 1) return
  throw new CliError('caller', 'two secrets cannot both come from standard input', {
    hint: 'Put one of them into a file.',
  })
}

/** The fields that were given. */
export function withoutUndefined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
