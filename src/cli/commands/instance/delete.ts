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
  summary: 'Delete an instance: an external one can be brought back, a managed one goes with all its data',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--purge', 'forget an external one for good, with its data sources and bindings')
    .option('--yes', 'do not ask')
}

interface Options {
  readonly purge?: true
  readonly yes?: true
}

async function run(cli: Cli, name: string, { purge, yes }: Options): Promise<void> {
  const api = await signedIn(cli)
  const question = purge
    ? `Forget instance ${name} for good, with its data sources and bindings?`
    : `Delete instance ${name} and, if it is managed, its data?`
  if (!yes) await confirm(cli.terminal, question)
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instances/${name}`,
    query: { purge },
    answer: DeleteInstanceAnswer,
    timeoutMs: 120_000,
  })
  showDone(cli, answer, sentence(name, answer.state))
  for (const role of answer.leftPostgresRoles ?? []) {
    cli.terminal.note(`Postgres role ${role} is still on the database: it could not be dropped.`)
  }
}

function sentence(name: string, state: 'DELETED' | 'DELETING' | 'PURGED'): string {
  if (state === 'DELETED') {
    return `Instance ${name} is deleted. It keeps its name: \`postern instance undelete ${name}\` brings it back, \`postern instance delete --purge ${name}\` forgets it.`
  }
  return state === 'PURGED' ? `Instance ${name} is forgotten.` : `Instance ${name} is deleted.`
}
