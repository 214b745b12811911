import type { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { currentGrant } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'token',
  summary: 'Print the access token as the Databricks CLI does, for SDKs: DATABRICKS_CLI_PATH names this program',
  define,
  run,
}

function define(command: Command): void {
  command.option('--force-refresh', 'get a new one also where the stored one is good for a while yet')
}

/** Prints JSON whatever --output says: the SDKs parse it. */
async function run(cli: Cli, { forceRefresh = false }: { readonly forceRefresh?: boolean }): Promise<void> {
  const { accessToken, expiresAt } = await currentGrant(cli, forceRefresh)
  showJson(cli, { access_token: accessToken.reveal(), token_type: 'Bearer', expiry: expiresAt.toISOString() })
}
