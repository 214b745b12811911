import type { Command } from 'commander'
import { Group } from '../../../contract/groups.ts'
import type { WorkspaceRole } from '../../../contract/service-principals.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { workspaceRoleOf, workspaceRoleOption } from '../../principal-settings.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { groupFields } from './group-fields.ts'

export const verb: Verb = { usage: 'create <name>', summary: 'Create a group', define, run }

function define(command: Command): void {
  command.addOption(
    workspaceRoleOption('what it gives its members; none: not assigned to the workspace').default('member'),
  )
}

async function run(
  cli: Cli,
  displayName: string,
  options: { readonly workspaceRole: WorkspaceRole | 'none' },
): Promise<void> {
  const api = await signedIn(cli)
  const body = { displayName, workspaceRole: workspaceRoleOf(options.workspaceRole) }
  const group = await api.call({ method: 'POST', path: '/v1/groups', body, answer: Group })
  showItem(cli, group, groupFields(group))
  if (cli.output === 'table') cli.terminal.note(`Next: \`postern group member add ${displayName} --user EMAIL\`.`)
}
