import type { Command } from 'commander'
import { z } from 'zod'
import { readAnswer } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { resolveEndpoint } from '../../endpoint.ts'
import { sendRequest } from '../../http-request.ts'
import { showDone } from '../../output.ts'
import { readSecret } from '../../read-secret.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'redeem-reset',
  summary: 'Set your password with the reset secret that an administrator gave you',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--reset-secret-file <file>', 'file that holds the reset secret, or -; default: asked for')
    .option('--new-password-file <file>', 'file that holds the new password, or -; default: asked for')
}

interface Options {
  readonly resetSecretFile?: string
  readonly newPasswordFile?: string
}

const timeoutMs = 30_000

async function run(cli: Cli, options: Options): Promise<void> {
  const { terminal } = cli
  const resetSecret = await readSecret(terminal, options.resetSecretFile, 'Reset secret: ', '--reset-secret-file')
  const newPassword = await readSecret(terminal, options.newPasswordFile, 'New password: ', '--new-password-file')
  const endpoint = await resolveEndpoint(cli.host, cli.caFile)
  const answer = await sendRequest(endpoint, {
    method: 'POST',
    path: '/v1/passwordResets:redeem',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ resetSecret: resetSecret.reveal(), newPassword: newPassword.reveal() }),
    timeoutMs,
  })
  showDone(cli, readAnswer(endpoint, answer, z.object({})), 'Your password is set. Next: `postern login`.')
}
