import type { Command } from 'commander'
import { SsoProvider } from '../../../contract/sso-providers.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { ssoProviderFields } from './sso-provider-fields.ts'
import { defineSsoProvider, ssoProviderBody, type SsoProviderOptions } from './sso-provider-options.ts'

export const verb: Verb = {
  usage: 'create <name>',
  summary: 'Let people sign in through an OpenID Connect issuer',
  define,
  run,
}

function define(command: Command): void {
  command
    .requiredOption('--issuer <url>', 'the issuer, as its discovery document writes it')
    .requiredOption('--client-id <id>', 'of Postern at the identity provider')
  defineSsoProvider(command)
}

interface Options extends SsoProviderOptions {
  readonly issuer: string
  readonly clientId: string
}

async function run(cli: Cli, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const { issuer, clientId } = options
  const body = { name, issuer, clientId, ...(await ssoProviderBody(cli, options)) }
  const provider = await api.call({ method: 'POST', path: '/v1/ssoProviders', body, answer: SsoProvider })
  showItem(cli, provider, ssoProviderFields(provider))
  if (cli.output === 'table') {
    cli.terminal.note('Next: register the redirect URI at the identity provider, then sign in through it once.')
  }
}
