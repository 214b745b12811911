import { Option, type Command } from 'commander'
import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'grant <instance>',
  summary: 'Let a principal use or manage an instance',
  define,
  run,
}

function define(command: Command): void {
  addPrincipalOptions(command).addOption(
    new Option('--level <level>', 'CAN_USE: credentials, and a Postgres role for oneself; CAN_MANAGE: also for others')
      .choices(['CAN_USE', 'CAN_MANAGE'])
      .default('CAN_USE'),
  )
}

interface Options extends PrincipalOptions {
  readonly level: string
}

async function run(cli: Cli, instance: string, { level, ...named }: Options): Promise<void> {
  const principal = principalOf(named)
  const api = await signedIn(cli)
  const answer = await api.call({
    method: 'POST',
    path: path`/v1/instances/${instance}/permissions`,
    body: { principal, level },
    answer: z.object({}),
  })
  showDone(cli, answer, `${Object.values(principal)[0]} has ${level} on ${instance}.`)
}
