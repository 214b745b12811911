import type { Command } from 'commander'
import { ServicePrincipal } from '../../../contract/service-principals.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { activeOption } from '../../principal-settings.ts'
import { signedIn } from '../../sign-in.ts'
import { servicePrincipalFields } from './service-principal-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'update <client-id>',
  summary: 'Change a service principal, switch it off or on again',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--display-name <name>', 'how it is called')
    .addOption(activeOption('off refuses its sign-ins and its logins'))
}

interface Options {
  readonly displayName?: string
  readonly active?: 'on' | 'off'
}

async function run(cli: Cli, clientId: string, { displayName, active }: Options): Promise<void> {
  const api = await signedIn(cli)
  const body = { displayName, active: active === undefined ? undefined : active === 'on' }
  const principal = await api.call({
    method: 'PATCH',
    path: path`/v1/servicePrincipals/${clientId}`,
    body,
    answer: ServicePrincipal,
  })
  showItem(cli, principal, servicePrincipalFields(principal))
}
