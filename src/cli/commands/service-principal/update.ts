import { Option, type Command } from 'commander'
import { ServicePrincipal } from '../../../contract/service-principals.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { servicePrincipalFields } from './service-principal-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'update <client-id>',
  summary: 'Switch a service principal off or on again',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(
    new Option('--active <on|off>', 'off refuses its sign-ins and its logins')
      .choices(['on', 'off'])
      .makeOptionMandatory(),
  )
}

async function run(cli: Cli, clientId: string, { active }: { readonly active: 'on' | 'off' }): Promise<void> {
  const api = await signedIn(cli)
  const body = { active: active === 'on' }
  const principal = await api.call({
    method: 'PATCH',
    path: path`/v1/servicePrincipals/${clientId}`,
    body,
    answer: ServicePrincipal,
  })
  showItem(cli, principal, servicePrincipalFields(principal))
}
