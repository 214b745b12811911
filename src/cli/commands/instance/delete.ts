import type { Command } from 'commander'
import { DeleteInstanceAnswer } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'delete <instance>',
  summary: 'Delete an instance; a managed one with all its data',
  define,
  run,
}

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, name: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete instance ${name}, its bindings and, if it is managed, its data?`)
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instances/${name}`,
    answer: DeleteInstanceAnswer,
    timeoutMs: 120_000,
  })
  showDone(cli, answer, `Instance ${name} is deleted.`)
}
