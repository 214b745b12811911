import type { Command } from 'commander'
import { z } from 'zod'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { readSecret } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'change', summary: 'Change your own password', define, run }

function define(command: Command): void {
  command
    .option('--old-password-file <file>', 'file that holds the old password, or -; default: asked for')
    .option('--new-password-file <file>', 'file that holds the new password, or -; default: asked for')
}

interface Options {
  readonly oldPasswordFile?: string
  readonly newPasswordFile?: string
}

async function run(cli: Cli, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const { terminal } = cli
  const oldPassword = await readSecret(terminal, options.oldPasswordFile, 'Old password: ', '--old-password-file')
  const newPassword = await readSecret(terminal, options.newPasswordFile, 'New password: ', '--new-password-file')
  const answer = await api.call({
    method: 'POST',
    path: '/v1/me:changePassword',
    body: { oldPassword: oldPassword.reveal(), newPassword: newPassword.reveal() },
    answer: z.object({}),
  })
  showDone(cli, answer, 'Your password is changed. Where else you were signed in has ended.')
}
