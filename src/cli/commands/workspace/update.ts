import type { Command } from 'commander'
import { Workspace } from '../../../contract/workspaces.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { workspaceFields } from './workspace-fields.ts'

export const verb: Verb = {
  usage: 'update <workspace>',
  summary: 'Change name, hosts or gateway domain of a workspace, as an administrator of the first one',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--name <name>', 'another name')
    .option('--hosts <host...>', 'all Host header values that select it')
    .option('--gateway-domain <domain>', 'domain below which the host names of its instances stand')
}

interface Options {
  readonly name?: string
  readonly hosts?: readonly string[]
  readonly gatewayDomain?: string
}

async function run(cli: Cli, reference: string, body: Options): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/workspaces/${reference}`
  const workspace = await api.call({ method: 'PATCH', path: place, body, answer: Workspace })
  showItem(cli, workspace, workspaceFields(workspace))
}
