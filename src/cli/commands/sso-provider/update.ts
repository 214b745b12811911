import { type Command, Option } from 'commander'
import { SsoProvider } from '../../../contract/sso-providers.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { ssoProviderFields } from './sso-provider-fields.ts'
import { defineSsoProvider, ssoProviderBody, type SsoProviderOptions } from './sso-provider-options.ts'

export const verb: Verb = {
  usage: 'update <name>',
  summary: 'Change an SSO provider; its issuer stays what it is',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--name <name>', 'another name')
    .option('--client-id <id>', 'of Postern at the identity provider')
    .addOption(
      new Option('--enforced <on|off>', 'on refuses passwords, once a Workspace Admin has signed in this way').choices([
        'on',
        'off',
      ]),
    )
  defineSsoProvider(command)
}

interface Options extends SsoProviderOptions {
  readonly name?: string
  readonly clientId?: string
  readonly enforced?: 'on' | 'off'
}

async function run(cli: Cli, reference: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const { name, clientId, enforced } = options
  const provider = await api.call({
    method: 'PATCH',
    path: path`/v1/ssoProviders/${reference}`,
    body: {
      name,
      clientId,
      enforced: enforced === undefined ? undefined : enforced === 'on',
      ...(await ssoProviderBody(cli, options)),
    },
    answer: SsoProvider,
  })
  showItem(cli, provider, ssoProviderFields(provider))
}
