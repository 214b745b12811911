import { randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { Gateway } from '../../contract/gateway.ts'
import { Instance } from '../../contract/instances.ts'
import { Me } from '../../contract/service-principals.ts'
import { type ApiClient, path } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
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
    .option(
      '--gateway-ca-file <file>',
      'certificate authority of the gateway (default: the one that the control plane names; or POSTERN_GATEWAY_CA_FILE)',
    )
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
What stands behind the instance and is no option of ours goes to psql: postern psql sample -c 'select 1'
Behind -- everything does, for options that both have: postern psql sample -- -o result.txt`,
    )
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
  const { gatewayHost } = instance
  if (gatewayHost === null) {
    throw new CliError('caller', `${name} has engine ${instance.engine}: people sign in to Postgres alone`, {
      hint: 'Run statements on it with `postern sql`.',
    })
  }
  const user = options.role ?? (await api.call({ method: 'GET', path: '/v1/me', answer: Me })).name
  const { token } = await generateDatabaseCredential(api, { request_id: randomUUID(), instance_names: [instance.name] })
  const gatewayCa = caFile === undefined ? await keepGatewayCa(api) : undefined
  return runPsql(cli, psqlArguments, {
    PGHOST: gatewayHost,
    PGHOSTADDR: await loopbackAddress(gatewayHost),
    PGPORT: String(instance.gatewayPort),
    PGDATABASE: options.database ?? instance.defaultDatabase,
    PGUSER: user,
    PGPASSWORD: token,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: caFile ?? gatewayCa?.file,
  }).finally(() => gatewayCa?.remove())
}

/** libpq reads the authority from a file only: one that lasts as long as psql does. */
async function keepGatewayCa(api: ApiClient): Promise<{ file: string; remove(): void }> {
  const { caPem } = await api.call({ method: 'GET', path: '/v1/gateway', answer: Gateway })
  const folder = mkdtempSync(join(tmpdir(), 'postern-ca-'))
  const file = join(folder, 'ca.pem')
  writeFileSync(file, caPem)
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Names under localhost mean this machine (RFC 6761 section 6.3), but not every name service knows them. */
async function loopbackAddress(host: string): Promise<string | undefined> {
  if (!host.endsWith('.localhost')) return undefined
  return lookup(host).then(
    () => undefined,
    () => '127.0.0.1',
  )
}
