import type { Command } from 'commander'
import { Group } from '../../../contract/groups.ts'
import type { WorkspaceRole } from '../../../contract/service-principals.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { activeOption, workspaceRoleOf, workspaceRoleOption } from '../../principal-settings.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { groupFields } from './group-fields.ts'

export const verb: Verb = {
  usage: 'update <group>',
  summary: 'Rename a group, change its workspace role, switch it off or on again',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--name <name>', 'another name; Postgres roles keep theirs')
    .addOption(workspaceRoleOption('what it gives its members; none takes it out of the workspace'))
    .addOption(activeOption('off: it gives its members nothing, and nobody logs in as it'))
}

interface Options {
  readonly name?: string
  readonly workspaceRole?: WorkspaceRole | 'none'
  readonly active?: 'on' | 'off'
}

async function run(cli: Cli, reference: string, { name, workspaceRole, active }: Options): Promise<void> {
  const api = await signedIn(cli)
  const body = {
    displayName: name,
    workspaceRole: workspaceRoleOf(workspaceRole),
    active: active === undefined ? undefined : active === 'on',
  }
  const group = await api.call({ method: 'PATCH', path: path`/v1/groups/${reference}`, body, answer: Group })
  showItem(cli, group, groupFields(group))
}
