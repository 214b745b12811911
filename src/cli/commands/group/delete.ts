import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'delete <group>', summary: 'Delete a group; its members stay', define, run }

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, reference: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete group ${reference}?`)
  const answer = await api.call({ method: 'DELETE', path: path`/v1/groups/${reference}`, answer: z.object({}) })
  showDone(cli, answer, `Group ${reference} is deleted.`)
}
