import type { Command } from 'commander'
import { DatabaseInstance } from '../../../contract/database-instances.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'find-database-instance-by-uid',
  summary: 'Show the Postgres instance with an immutable id as JSON',
  define: (command: Command) => void command.requiredOption('--uid <uid>', 'its uid'),
  run,
}

async function run(cli: Cli, { uid }: { readonly uid: string }): Promise<void> {
  const api = await signedIn(cli)
  const found = await api.call({
    method: 'GET',
    path: '/api/2.0/database/instances:findByUid',
    query: { uid },
    answer: DatabaseInstance,
  })
  showJson(cli, found)
}
