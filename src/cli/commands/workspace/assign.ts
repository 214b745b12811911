import { Option, type Command } from 'commander'
import { WorkspaceRole } from '../../../contract/service-principals.ts'
import { WorkspaceAssignment } from '../../../contract/workspaces.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'assign',
  summary: 'Assign a user, service principal or group to the workspace',
  define,
  run,
}

function define(command: Command): void {
  addPrincipalOptions(command).addOption(
    new Option('--workspace-role <role>', 'what it may do in the workspace')
      .choices(WorkspaceRole.options)
      .default('member'),
  )
}

interface Options extends PrincipalOptions {
  readonly workspaceRole: WorkspaceRole
}

async function run(cli: Cli, options: Options): Promise<void> {
  const body = { principal: principalOf(options), workspaceRole: options.workspaceRole }
  const api = await signedIn(cli)
  const path = '/v1/workspaceAssignments'
  const assignment = await api.call({ method: 'POST', path, body, answer: WorkspaceAssignment })
  showDone(cli, assignment, `${assignment.principal.name} is assigned as ${assignment.workspaceRole}.`)
}
