import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'delete <user>', summary: 'Delete a user for good', define, run }

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, reference: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete user ${reference}?`)
  const answer = await api.call({ method: 'DELETE', path: path`/v1/users/${reference}`, answer: z.object({}) })
  showDone(cli, answer, `User ${reference} is deleted.`)
}
