import { FederationPolicyList, type FederationPolicy } from '../../../../contract/federation-policies.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showList } from '../../../output.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Column } from '../../../table.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'list <client-id>',
  summary: 'List whose tokens stand for a service principal',
  run,
}

const columns: readonly Column<FederationPolicy>[] = [
  { title: 'NAME', text: (policy) => policy.name, keep: true },
  { title: 'ISSUER', text: (policy) => policy.issuer },
  { title: 'SUBJECT', text: (policy) => policy.subject },
  { title: 'AUDIENCES', text: (policy) => policy.audiences.join(', ') || 'token endpoint' },
]

async function run(cli: Cli, clientId: string): Promise<void> {
  const api = await signedIn(cli)
  const { federationPolicies } = await api.call({
    method: 'GET',
    path: path`/v1/servicePrincipals/${clientId}/federationPolicies`,
    answer: FederationPolicyList,
  })
  showList(cli, federationPolicies, columns, `${clientId} has no federation policies.`)
}
