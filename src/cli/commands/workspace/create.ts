import type { Command } from 'commander'
import { Workspace } from '../../../contract/workspaces.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { workspaceFields } from './workspace-fields.ts'

export const verb: Verb = {
  usage: 'create <name>',
  summary: 'Create a workspace, as an administrator of the first one',
  define,
  run,
}

function define(command: Command): void {
  addPrincipalOptions(
    command
      .requiredOption('--hosts <host...>', 'Host header values that select it: NAME or NAME:PORT')
      .requiredOption('--gateway-domain <domain>', 'domain below which the host names of its instances stand'),
  ).addHelpText('after', '\nThe principal becomes its first Workspace Admin (default: you).')
}

interface Options extends PrincipalOptions {
  readonly hosts: readonly string[]
  readonly gatewayDomain: string
}

async function run(cli: Cli, name: string, options: Options): Promise<void> {
  const { hosts, gatewayDomain, user, servicePrincipal, group, principalId } = options
  const isNamed = [user, servicePrincipal, group, principalId].some((option) => option !== undefined)
  const body = { name, hosts, gatewayDomain, admin: isNamed ? principalOf(options) : undefined }
  const api = await signedIn(cli)
  const workspace = await api.call({ method: 'POST', path: '/v1/workspaces', body, answer: Workspace })
  showItem(cli, workspace, workspaceFields(workspace))
}
