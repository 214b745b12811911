import type { Command } from 'commander'
import { PostgresRole } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { postgresRoleFields } from './postgres-role-fields.ts'

export const verb: Verb = {
  usage: 'update <instance> <role-name>',
  summary: 'Change what a Postgres role may do; what is not named stays',
  define,
  run,
}

function define(command: Command): void {
  for (const [name, does] of [
    ['create-db', 'create databases'],
    ['create-role', 'create Postgres roles'],
    ['bypass-rls', 'bypass row-level security'],
  ]) {
    command.option(`--${name}`, `may ${does}`).option(`--no-${name}`, `may not ${does}`)
  }
  command
    .option('--administrator', 'member of the administrators’ role databricks_superuser')
    .option('--no-administrator', 'no member of it')
}

interface Options {
  readonly createDb?: boolean
  readonly createRole?: boolean
  readonly bypassRls?: boolean
  readonly administrator?: boolean
}

async function run(cli: Cli, instance: string, roleName: string, options: Options): Promise<void> {
  const { createDb, createRole, bypassRls, administrator } = options
  const api = await signedIn(cli)
  const role = await api.call({
    method: 'PATCH',
    path: path`/v1/instances/${instance}/roles/${roleName}`,
    body: { attributes: { createDb, createRole, bypassRls }, administrator },
    answer: PostgresRole,
  })
  showItem(cli, role, postgresRoleFields(role))
}
