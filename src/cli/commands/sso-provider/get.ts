import { SsoProvider } from '../../../contract/sso-providers.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { ssoProviderFields } from './sso-provider-fields.ts'

export const verb: Verb = {
  usage: 'get <name>',
  summary: 'Show one SSO provider, with the redirect URI to register',
  run,
}

async function run(cli: Cli, name: string): Promise<void> {
  const api = await signedIn(cli)
  const provider = await api.call({ method: 'GET', path: path`/v1/ssoProviders/${name}`, answer: SsoProvider })
  showItem(cli, provider, ssoProviderFields(provider))
}
