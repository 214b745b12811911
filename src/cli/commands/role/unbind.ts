import type { Command } from 'commander'
import type { z } from 'zod'
import { UnbindPostgresRoleAnswer } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'unbind <instance> <role-name>',
  alias: 'drop',
  summary: 'End the binding of a Postgres role and drop it on the database',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--reassign-owned-to <role>', 'Postgres role that gets what the unbound one owns')
    .option(
      '--keep-upstream-role',
      'remove the binding alone, for an instance that does not answer any more; a managed one that answers refuses it',
    )
    .option('--yes', 'do not ask')
}

interface Options {
  readonly reassignOwnedTo?: string
  readonly keepUpstreamRole?: true
  readonly yes?: true
}

const outcomeTexts: Readonly<Record<z.output<typeof UnbindPostgresRoleAnswer>['upstreamRole'], string>> = {
  dropped: 'is unbound and dropped',
  absent: 'is unbound; the database did not have it any more',
  left: 'is unbound; the database was left as it is, so look whether it still has a Postgres role of this name',
}

async function run(cli: Cli, instance: string, roleName: string, options: Options): Promise<void> {
  const { reassignOwnedTo, keepUpstreamRole, yes } = options
  const api = await signedIn(cli)
  if (!yes) {
    const drop = keepUpstreamRole ? '' : ' and drop it'
    await confirm(cli.terminal, `Unbind Postgres role ${roleName} on ${instance}${drop}?`)
  }
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instances/${instance}/roles/${roleName}`,
    query: { reassignOwnedTo, keepUpstreamRole },
    answer: UnbindPostgresRoleAnswer,
    timeoutMs: 120_000,
  })
  showDone(cli, answer, `Postgres role ${roleName} on ${instance} ${outcomeTexts[answer.upstreamRole]}.`)
}
