import type { Command } from 'commander'
import { CreatedSecret } from '../../../../contract/service-principals.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { durationSeconds } from '../../../option-values.ts'
import { showJson, shownTime } from '../../../output.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'create <client-id>',
  summary: 'Create a secret; it is shown this once',
  define,
  run,
}

function define(command: Command): void {
  command.option('--lifetime <duration>', 'when it expires, such as 12h or 90d; default: never', durationSeconds)
}

/** The secret alone goes to standard output, so that it can be kept in a file without being seen. */
async function run(cli: Cli, clientId: string, { lifetime }: { readonly lifetime?: number }): Promise<void> {
  const api = await signedIn(cli)
  const body = { lifetimeSeconds: lifetime }
  const created = await api.call({
    method: 'POST',
    path: path`/v1/servicePrincipals/${clientId}/secrets`,
    body,
    answer: CreatedSecret,
  })
  if (cli.output === 'json') return showJson(cli, created)
  const expiry = created.expiresAt === null ? 'It never expires.' : `It expires at ${shownTime(created.expiresAt)}.`
  cli.terminal.note(`Secret ${created.id} of ${clientId}. ${expiry} Keep it now: it cannot be shown again.`)
  cli.terminal.print(created.secret)
}
