import type { Command } from 'commander'
import type { WorkspaceRole } from '../../../contract/service-principals.ts'
import { User } from '../../../contract/users.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { activeOption, workspaceRoleOf, workspaceRoleOption } from '../../principal-settings.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { userFields } from './user-fields.ts'

export const verb: Verb = {
  usage: 'update <user>',
  summary: 'Change a user, switch him off or on again',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--email <email>', 'another e-mail; Postgres roles keep their names')
    .option('--display-name <name>', 'how the person is called')
    .addOption(workspaceRoleOption('the user’s own role in the workspace; none takes it away'))
    .addOption(activeOption('off ends all sign-ins and refuses every login, at once'))
}

interface Options {
  readonly email?: string
  readonly displayName?: string
  readonly workspaceRole?: WorkspaceRole | 'none'
  readonly active?: 'on' | 'off'
}

async function run(cli: Cli, reference: string, options: Options): Promise<void> {
  const { email, displayName, active } = options
  const api = await signedIn(cli)
  const body = {
    email,
    displayName,
    workspaceRole: workspaceRoleOf(options.workspaceRole),
    active: active === undefined ? undefined : active === 'on',
  }
  const user = await api.call({ method: 'PATCH', path: path`/v1/users/${reference}`, body, answer: User })
  showItem(cli, user, userFields(user))
}
