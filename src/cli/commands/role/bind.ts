import type { Command } from 'commander'
import { PostgresRole } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { signedIn } from '../../sign-in.ts'
import { postgresRoleFields } from './postgres-role-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'bind <instance>',
  alias: 'create',
  summary: 'Make a Postgres role on an instance that a principal logs in as',
  define,
  run,
}

function define(command: Command): void {
  addPrincipalOptions(command)
    .option('--role-name <name>', 'name of the Postgres role (default: e-mail, client id or group name)')
    .option('--create-db', 'may create databases')
    .option('--create-role', 'may create Postgres roles')
    .option('--bypass-rls', 'bypasses row-level security')
    .option('--administrator', 'member of the administrators’ role databricks_superuser')
}

interface Options extends PrincipalOptions {
  readonly roleName?: string
  readonly createDb?: true
  readonly createRole?: true
  readonly bypassRls?: true
  readonly administrator?: true
}

async function run(cli: Cli, instance: string, options: Options): Promise<void> {
  const principal = principalOf(options)
  const api = await signedIn(cli)
  const body = {
    principal,
    roleName: options.roleName,
    attributes: {
      createDb: options.createDb ?? false,
      createRole: options.createRole ?? false,
      bypassRls: options.bypassRls ?? false,
    },
    administrator: options.administrator ?? false,
  }
  const role = await api.call({
    method: 'POST',
    path: path`/v1/instances/${instance}/roles`,
    body,
    answer: PostgresRole,
  })
  showItem(cli, role, postgresRoleFields(role))
  if (cli.output === 'table' && role.principal.kind === 'group') {
    cli.terminal.note(`Next, for each member: \`postern psql ${instance} --group ${role.principal.name}\`.`)
  }
}
