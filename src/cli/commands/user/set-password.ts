import type { Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { readSecret } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'set-password <user>', summary: 'Set the password of a user', define, run }

function define(command: Command): void {
  command.option('--password-file <file>', 'file that holds the password, or - for standard input; default: asked for')
}

async function run(cli: Cli, reference: string, options: { readonly passwordFile?: string }): Promise<void> {
  const api = await signedIn(cli)
  const { terminal } = cli
  const password = await readSecret(terminal, options.passwordFile, `New password of ${reference}: `, '--password-file')
  const answer = await api.call({
    method: 'POST',
    path: path`/v1/users/${reference}:setPassword`,
    body: { password: password.reveal() },
    answer: z.object({}),
  })
  showDone(cli, answer, `The password of ${reference} is set. Where ${reference} was signed in has ended.`)
}
