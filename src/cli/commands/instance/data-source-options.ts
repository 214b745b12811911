import { Option, type Command } from 'commander'
import { TlsMode } from '../../../contract/tls-mode.ts'
import { wholeNumber } from '../../option-values.ts'
import { readTextFile } from '../../read-secret.ts'

/** Options that say where an external database is and how it is logged in to. */
export interface DataSourceOptions {
  readonly hostName?: string
  readonly port?: number
  readonly database?: string
  readonly username?: string
  readonly passwordFile?: string
  readonly tlsMode?: TlsMode
  readonly tlsCaFile?: string
}

export function defineDataSourceOptions(command: Command): void {
  command
    .option('--host-name <host>', 'host of the database')
    .option('--port <port>', 'port of the database (default: 5432)', wholeNumber(1, 65_535))
    .option('--database <name>', 'database to log in to (default: postgres)')
    .option('--username <name>', 'Postgres role of the admin data source')
    .option('--password-file <file>', 'file that holds its password, or - for standard input; default: asked for')
    .addOption(new Option('--tls-mode <mode>', 'how TLS is verified (default: verify-full)').choices(TlsMode.options))
    .option('--tls-ca-file <file>', 'PEM file of the certificate authorities to trust; default: the public ones')
}

/** The given ones as the API names them, without the password. */
export async function readDataSourceOptions({
  hostName,
  port,
  database,
  username,
  tlsMode,
  tlsCaFile,
}: DataSourceOptions) {
  const tlsCa = tlsCaFile === undefined ? undefined : await readTextFile(tlsCaFile, '--tls-ca-file')
  return { host: hostName, port, database, username, tlsMode, tlsCa }
}
