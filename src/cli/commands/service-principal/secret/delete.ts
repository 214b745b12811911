import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showDone } from '../../../output.ts'
import { confirm } from '../../../prompt.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'delete <client-id> <secret-id>',
  summary: 'Delete a secret; it stops working at once',
  define,
  run,
}

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, clientId: string, secretId: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete secret ${secretId} of ${clientId}?`)
  const secretPath = path`/v1/servicePrincipals/${clientId}/secrets/${secretId}`
  const answer = await api.call({ method: 'DELETE', path: secretPath, answer: z.object({}) })
  showDone(cli, answer, `Secret ${secretId} of ${clientId} is deleted.`)
}
