import type { Command } from 'commander'
import { InstallDatabricksAuthAnswer } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'install-databricks-auth <instance>',
  summary: 'Make databricks_create_role and databricks_list_roles in a database of an external instance',
  define,
  run,
}

function define(command: Command): void {
  command.option('--database <name>', 'the database (default: that of the admin data source)')
}

async function run(cli: Cli, instance: string, { database }: { readonly database?: string }): Promise<void> {
  const api = await signedIn(cli)
  const answer = await api.call({
    method: 'POST',
    path: path`/v1/instances/${instance}:installDatabricksAuth`,
    body: { database },
    answer: InstallDatabricksAuthAnswer,
  })
  showDone(cli, answer, `databricks_auth is installed in database ${answer.database} of ${instance}.`)
}
