import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'delete-database-instance <name>',
  summary: 'Delete a Postgres instance, a managed one with all its data, without asking',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--force', 'means nothing: no instance has children')
    .option('--purge', 'forget an external instance for good')
}

interface Options {
  readonly force?: true
  readonly purge?: true
}

async function run(cli: Cli, name: string, { force, purge }: Options): Promise<void> {
  const api = await signedIn(cli)
  await api.call({
    method: 'DELETE',
    path: path`/api/2.0/database/instances/${name}`,
    query: { force, purge },
    answer: z.object({}),
    timeoutMs: 120_000,
  })
}
