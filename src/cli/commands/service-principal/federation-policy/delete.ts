import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showDone } from '../../../output.ts'
import { confirm } from '../../../prompt.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'delete <client-id> <name>',
  summary: 'Delete a federation policy; no token is exchanged by it any more',
  define,
  run,
}

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, clientId: string, name: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete federation policy ${name} of ${clientId}?`)
  const policyPath = path`/v1/servicePrincipals/${clientId}/federationPolicies/${name}`
  const answer = await api.call({ method: 'DELETE', path: policyPath, answer: z.object({}) })
  showDone(cli, answer, `Federation policy ${name} of ${clientId} is deleted.`)
}
