import type { Cli } from '../cli.ts'
import { showJson } from '../output.ts'
import { productVersion } from '../product-version.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'version',
  summary: 'Print the version',
  run,
}

async function run(cli: Cli): Promise<void> {
  if (cli.output === 'json') showJson(cli, { version: productVersion })
  else cli.terminal.print(`postern ${productVersion}`)
}
