import { Option, type Command } from 'commander'
import { ServicePrincipal, WorkspaceRole } from '../../../contract/service-principals.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { servicePrincipalFields } from './service-principal-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create <display-name>',
  summary: 'Create a service principal, the identity of a program',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(
    new Option('--workspace-role <role>', 'what it may do in the workspace')
      .choices(WorkspaceRole.options)
      .default('member'),
  )
}

interface Options {
  readonly workspaceRole: WorkspaceRole
}

async function run(cli: Cli, displayName: string, { workspaceRole }: Options): Promise<void> {
  const api = await signedIn(cli)
  const body = { displayName, workspaceRole }
  const principal = await api.call({ method: 'POST', path: '/v1/servicePrincipals', body, answer: ServicePrincipal })
  showItem(cli, principal, servicePrincipalFields(principal))
  if (cli.output === 'table')
    cli.terminal.note(`Next: \`postern service-principal secret create ${principal.clientId}\`.`)
}
