import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { Me } from '../../contract/service-principals.ts'
import type { Cli } from '../cli.ts'
import { addCredentialOptions, type CredentialOptions } from '../credential-options.ts'
import { createDatabaseCredential } from '../database-credential.ts'
import { findGatewayTarget, gatewayCaFile, gatewayCaOf, loopbackAddress } from '../gateway-target.ts'
import { runPsql } from '../run-psql.ts'
import { signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'psql <instance> [psql-arguments...]',
  summary: 'Open psql on an instance with a fresh credential',
  define,
  run,
}

function define(command: Command): void {
  addCredentialOptions(command)
    .option('--role <name>', 'Postgres role to log in as (default: your own name, or that of the group)')
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

interface Options extends CredentialOptions {
  readonly role?: string
  readonly database?: string
  readonly gatewayCaFile?: string
}

async function run(cli: Cli, name: string, psqlArguments: readonly string[], options: Options): Promise<number> {
  const caFile = await gatewayCaFile(cli, options.gatewayCaFile)
  const api = await signedIn(cli)
  const { instanceName, host, port, database } = await findGatewayTarget(api, name)
  const user = options.role ?? options.group ?? (await api.call({ method: 'GET', path: '/v1/me', answer: Me })).name
  const { token } = await createDatabaseCredential(api, [instanceName], options)
  const gatewayCa = caFile === undefined ? keepFile(await gatewayCaOf(api)) : undefined
  return runPsql(cli, psqlArguments, {
    PGHOST: host,
    PGHOSTADDR: await loopbackAddress(host),
    PGPORT: String(port),
    PGDATABASE: options.database ?? database,
    PGUSER: user,
    PGPASSWORD: token,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: caFile ?? gatewayCa?.file,
  }).finally(() => gatewayCa?.remove())
}

/** libpq reads the authority from a file only: one that lasts as long as psql does. */
function keepFile(caPem: string): { file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'postern-ca-'))
  const file = join(folder, 'ca.pem')
  writeFileSync(file, caPem)
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
