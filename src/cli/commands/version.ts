import type { Cli } from '../cli.ts'
import { showJson } from '../output.ts'
import { productVersion } from '../product-version.ts'

export const usage = 'version'
export const summary = 'Print the version'

export async function run(cli: Cli): Promise<void> {
  if (cli.output === 'json') showJson(cli, { version: productVersion })
  else cli.terminal.print(`postern ${productVersion}`)
}
