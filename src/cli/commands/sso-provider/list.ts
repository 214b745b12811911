import { type SsoProvider, SsoProviderList } from '../../../contract/sso-providers.ts'
import type { Cli } from '../../cli.ts'
import { showList } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the SSO providers of the workspace',
  run,
}

const columns: readonly Column<SsoProvider>[] = [
  { title: 'NAME', text: (provider) => provider.name, keep: true },
  { title: 'ISSUER', text: (provider) => provider.issuer },
  { title: 'CREATES USERS', text: (provider) => (provider.createsUsers ? 'yes' : 'no') },
  { title: 'ENFORCED', text: (provider) => (provider.enforced ? 'yes' : 'no') },
]

async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const { ssoProviders } = await api.call({ method: 'GET', path: '/v1/ssoProviders', answer: SsoProviderList })
  showList(cli, ssoProviders, columns, 'There are no SSO providers. Make one with `postern sso-provider create`.')
}
