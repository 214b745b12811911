import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'delete <name>',
  summary: 'Delete an SSO provider; its users stay',
  define,
  run,
}

function define(command: Command): void {
  command.option('--yes', 'do not ask')
}

async function run(cli: Cli, name: string, { yes }: { readonly yes?: true }): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Delete SSO provider ${name}?`)
  const answer = await api.call({ method: 'DELETE', path: path`/v1/ssoProviders/${name}`, answer: z.object({}) })
  showDone(cli, answer, `SSO provider ${name} is deleted.`)
}
