import type { Command } from 'commander'
import { parseConfig } from '../../../config/parse-config.ts'
import { configLines, printConfig } from '../../../config/print-config.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'print [options-of-serve...]',
  summary: 'Print what `postern serve` would be told here, and by what; secrets are hidden',
  define,
  run,
}

function define(command: Command): void {
  command.allowUnknownOption()
}

async function run(cli: Cli, argv: readonly string[]): Promise<void> {
  const parsed = parseConfig({ argv, environment: cli.environment, cwd: process.cwd() })
  if (cli.output === 'json') showJson(cli, configLines(parsed))
  else cli.terminal.print(printConfig(parsed).trimEnd())
}
