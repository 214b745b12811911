import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'delete-database-instance-role <instance> <name>',
  summary: 'Drop the Postgres role of an identity, without asking',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--allow-missing', 'one that is not there is no failure')
    .option('--reassign-owned-to <role>', 'Postgres role that gets what it owns')
}

interface Options {
  readonly allowMissing?: true
  readonly reassignOwnedTo?: string
}

async function run(cli: Cli, instance: string, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  await api.call({
    method: 'DELETE',
    path: path`/api/2.0/database/instances/${instance}/roles/${name}`,
    query: { allow_missing: options.allowMissing, reassign_owned_to: options.reassignOwnedTo },
    answer: z.object({}),
    timeoutMs: 120_000,
  })
}
