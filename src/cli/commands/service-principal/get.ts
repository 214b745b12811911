import { ServicePrincipal } from '../../../contract/service-principals.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { servicePrincipalFields } from './service-principal-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get <client-id>',
  summary: 'Show one service principal',
  run,
}

async function run(cli: Cli, clientId: string): Promise<void> {
  const api = await signedIn(cli)
  const principal = await api.call({
    method: 'GET',
    path: path`/v1/servicePrincipals/${clientId}`,
    answer: ServicePrincipal,
  })
  showItem(cli, principal, servicePrincipalFields(principal))
}
