import type { Cli } from '../cli.ts'
import { showJson } from '../output.ts'
import { currentAccessToken } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'token',
  summary: 'Print the access token, for use with the HTTP API',
  run,
}

async function run(cli: Cli): Promise<void> {
  const accessToken = (await currentAccessToken(cli)).reveal()
  if (cli.output === 'json') showJson(cli, { access_token: accessToken, token_type: 'Bearer' })
  else cli.terminal.print(accessToken)
}
