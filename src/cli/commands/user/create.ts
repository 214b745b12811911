import type { Command } from 'commander'
import type { WorkspaceRole } from '../../../contract/service-principals.ts'
import { User } from '../../../contract/users.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { workspaceRoleOf, workspaceRoleOption } from '../../principal-settings.ts'
import { readSecret } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { userFields } from './user-fields.ts'

export const verb: Verb = {
  usage: 'create <email>',
  summary: 'Create a user, the identity of a person',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--display-name <name>', 'how the person is called (default: the e-mail)')
    .addOption(
      workspaceRoleOption('what the user may do in the workspace; none: only what groups give').default('member'),
    )
    .option('--password-file <file>', 'file that holds a first password, or - for standard input')
}

interface Options {
  readonly displayName?: string
  readonly workspaceRole: WorkspaceRole | 'none'
  readonly passwordFile?: string
}

async function run(cli: Cli, email: string, options: Options): Promise<void> {
  const { displayName, passwordFile } = options
  const password =
    passwordFile === undefined
      ? undefined
      : (await readSecret(cli.terminal, passwordFile, 'Password: ', '--password-file')).reveal()
  const api = await signedIn(cli)
  const body = { email, displayName, workspaceRole: workspaceRoleOf(options.workspaceRole), password }
  const user = await api.call({ method: 'POST', path: '/v1/users', body, answer: User })
  showItem(cli, user, userFields(user))
  if (cli.output === 'table' && !user.hasPassword) cli.terminal.note(`Next: \`postern user reset-password ${email}\`.`)
}
