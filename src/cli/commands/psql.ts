import { randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import type { Command } from 'commander'
import { Instance } from '../../contract/instances.ts'
import { Me } from '../../contract/service-principals.ts'
import { path } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { generateDatabaseCredential } from '../database-credential.ts'
import { runPsql } from '../run-psql.ts'
import { readTextFile } from '../read-secret.ts'
import { signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'psql <instance> [psql-arguments...]',
  summary: 'Open psql on an instance with a fresh credential',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--role <name>', 'Postgres role to log in as (default: your own name)')
    .option('--database <name>', 'database (default: the default database of the instance)')
    .option('--gateway-ca-file <file>', 'certificate authority of the gateway (or POSTERN_GATEWAY_CA_FILE)')
    .addHelpText('after', "\nArguments of psql follow --, for example: postern psql sample -- -c 'select 1'")
}

interface Options {
  readonly role?: string
  readonly database?: string
  readonly gatewayCaFile?: string
}

async function run(cli: Cli, name: string, psqlArguments: readonly string[], options: Options): Promise<number> {
  const caFile =
    options.gatewayCaFile || cli.environment['POSTERN_GATEWAY_CA_FILE'] || cli.environment['PGSSLROOTCERT'] || undefined
  if (caFile !== undefined && caFile !== 'system') await readTextFile(caFile, '--gateway-ca-file')
  const api = await signedIn(cli)
  const instance = await api.call({ method: 'GET', path: path`/v1/instances/${name}`, answer: Instance })
  const user = options.role ?? (await api.call({ method: 'GET', path: '/v1/me', answer: Me })).name
  const { token } = await generateDatabaseCredential(api, { request_id: randomUUID(), instance_names: [instance.name] })
  if (caFile === undefined && cli.terminal.isInteractive) {
    cli.terminal.note('The certificate of the gateway is not verified. Give its authority with --gateway-ca-file.')
  }
  return runPsql(cli, psqlArguments, {
    PGHOST: instance.gatewayHost,
    PGHOSTADDR: await loopbackAddress(instance.gatewayHost),
    PGPORT: String(instance.gatewayPort),
    PGDATABASE: options.database ?? instance.defaultDatabase,
    PGUSER: user,
    PGPASSWORD: token,
    PGSSLMODE: caFile === undefined ? 'require' : 'verify-full',
    PGSSLROOTCERT: caFile,
  })
}

/** Names under localhost mean this machine (RFC 6761 section 6.3), but not every name service knows them. */
async function loopbackAddress(host: string): Promise<string | undefined> {
  if (!host.endsWith('.localhost')) return undefined
  return lookup(host).then(
    () => undefined,
    () => '127.0.0.1',
  )
}
