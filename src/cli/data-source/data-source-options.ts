import { InvalidArgumentError, Option, type Command } from 'commander'
import { EngineField, LoginMethod } from '../../contract/engines.ts'
import { TlsMode } from '../../contract/tls-mode.ts'
import { wholeNumber } from '../option-values.ts'
import { defineExternalSecretOptions, type ExternalSecretOptions } from './external-secret-options.ts'

/** Options that say where a database is and how it is logged in to. Secrets come from files, standard input or a prompt. */
export interface DataSourceOptions extends ExternalSecretOptions {
  readonly weight?: number
  readonly hostName?: string
  readonly port?: number
  readonly database?: string
  readonly username?: string
  readonly loginMethod?: LoginMethod
  readonly passwordFile?: string
  /** False: `--no-password`. */
  readonly password?: boolean
  readonly privateKeyFile?: string
  readonly privateKeyPassphraseFile?: string
  readonly accessTokenFile?: string
  readonly serviceAccountFile?: string
  readonly awsCredentialsFile?: string
  readonly azureClientSecretFile?: string
  readonly tlsMode?: TlsMode
  readonly tlsCaFile?: string
  /** False: `--no-tls-ca`. */
  readonly tlsCa?: boolean
  readonly tlsCertificateFile?: string
  readonly tlsKeyFile?: string
  /** False: `--no-tls-certificate`. */
  readonly tlsCertificate?: boolean
  readonly tlsServerFile?: Readonly<Record<string, string>>
  /** SSH servers as they were written, or false: `--no-ssh`. */
  readonly ssh?: readonly string[] | boolean
  readonly sshPrivateKeyFile?: readonly string[]
  readonly sshPassphraseFile?: readonly string[]
  readonly sshPasswordFile?: readonly string[]
  readonly sshKey?: readonly string[]
  readonly hostKey?: readonly string[]
  readonly field?: Readonly<Record<string, string>>
  readonly parameter?: Readonly<Record<string, string>>
}

const TLS_FILES = ['ca', 'certificate', 'key']

export function defineDataSourceOptions(command: Command): void {
  command
    .option('--host-name <host>', 'host of the database')
    .option('--port <port>', "port of the database (default: the engine's)", wholeNumber(1, 65_535))
    .option('--database <name>', "database to log in to (default: the engine's)")
    .option('--username <name>', 'database user to log in as')
    .addOption(new Option('--login-method <method>', 'how to log in').choices(LoginMethod.options))
    .option('--password-file <file>', 'file that holds the password, or - for standard input; default: asked for')
    .option('--no-password', 'the user logs in without a password')
    .option('--private-key-file <file>', 'Snowflake: PEM file of the private key, or -')
    .option('--private-key-passphrase-file <file>', 'file that holds its passphrase, or -')
    .option('--access-token-file <file>', 'Snowflake: file that holds an access token, or -')
    .option('--service-account-file <file>', 'Spanner, gcp_iam: JSON key of a Google service account, or -')
    .option('--aws-credentials-file <file>', 'aws_iam: JSON with accessKeyId and secretAccessKey, or -')
    .option('--azure-client-secret-file <file>', 'azure_entra: file that holds the client secret, or -')
    .addOption(new Option('--tls-mode <mode>', 'how TLS is verified (default: verify-full)').choices(TlsMode.options))
    .option(
      '--tls-ca-file <file>',
      'PEM file of the certificate authorities to trust; default: those of RDS for its endpoints, else the public ones',
    )
    .option('--tls-certificate-file <file>', 'PEM file of the client certificate to present')
    .option('--tls-key-file <file>', 'PEM file of its key, or -')
    .option(
      '--tls-server-file <ca|certificate|key=path>',
      'the same from a file of the machine that Postern runs on; may be given several times',
      pairs(TLS_FILES),
    )
    .option('--ssh <user@host[:port]>', 'SSH server to go through; several are passed in their order', collect)
    .option('--ssh-private-key-file <file>', 'private key for it, or -; given again for each server, or once', collect)
    .option('--ssh-passphrase-file <file>', 'passphrase of that key, or -', collect)
    .option('--ssh-password-file <file>', 'password for it, or -', collect)
    .option('--ssh-key <id>', 'key pair that Postern made (postern ssh-key create) for it', collect)
    .option('--host-key <fingerprint>', 'fingerprint of its host key (SHA256:…); default: shown and asked for', collect)
    .option(
      '--field <name=value>',
      `what some engines need: ${EngineField.options.join(', ')}`,
      pairs(EngineField.options),
    )
    .option('--weight <number>', 'among read-only data sources that are equally good, 1 to 1000', wholeNumber(1, 1000))
    .option('--parameter <name=value>', 'setting of the session; `postern engine get` lists them', pairs())
  defineExternalSecretOptions(command)
}

/** Options with which a change takes something away again. */
export function defineRemovals(command: Command): void {
  command
    .option('--ask-password', 'ask for a new password')
    .option('--no-tls-ca', 'trust the public certificate authorities again')
    .option('--no-tls-certificate', 'present no client certificate any more')
    .option('--no-ssh', 'go straight to the database again')
}

function collect(value: string, before: readonly string[] | boolean | undefined): string[] {
  return [...(Array.isArray(before) ? (before as readonly string[]) : []), value]
}

function pairs(names?: readonly string[]) {
  return (text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => {
    const [name = '', ...value] = text.split('=')
    if (value.length === 0 || name === '') throw new InvalidArgumentError('It must be of the form name=value.')
    if (names !== undefined && !names.includes(name)) {
      throw new InvalidArgumentError(`The name must be one of ${names.join(', ')}.`)
    }
    return { ...before, [name]: value.join('=') }
  }
}
