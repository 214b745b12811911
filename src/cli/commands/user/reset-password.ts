import { PasswordReset } from '../../../contract/users.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson, shownTime } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'reset-password <user>',
  summary: 'Make a secret with which a user sets his password once',
  run,
}

async function run(cli: Cli, reference: string): Promise<void> {
  const api = await signedIn(cli)
  const reset = await api.call({
    method: 'POST',
    path: path`/v1/users/${reference}:resetPassword`,
    answer: PasswordReset,
  })
  if (cli.output === 'json') return showJson(cli, reset)
  cli.terminal.print(reset.resetSecret)
  cli.terminal.note(`Shown this once, good once until ${shownTime(reset.expiresAt)}. Hand it over in a safe way.`)
  cli.terminal.note('Whoever has it runs `postern password redeem-reset`.')
}
