import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'unbind <instance> <role-name>',
  summary: 'End the binding of a Postgres role, so that nobody logs in as it',
  define,
  run,
}

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, instance: string, roleName: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Unbind Postgres role ${roleName} on ${instance}?`)
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instances/${instance}/roles/${roleName}`,
    answer: z.object({}),
  })
  showDone(cli, answer, `Postgres role ${roleName} on ${instance} is unbound.`)
}
