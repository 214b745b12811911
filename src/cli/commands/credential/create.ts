import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { generateDatabaseCredential } from '../../database-credential.ts'
import { showJson, shownTime } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create <instances...>',
  summary: 'Get a database credential: a one-hour password for one to ten instances',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--request-id <id>', 'kept in the audit record (default: a random one)')
    .addHelpText(
      'after',
      '\nExample: PGPASSWORD=$(postern credential create sample) psql "host=sample.postern.localhost …"',
    )
}

/** The credential alone goes to standard output, so that it can be put into PGPASSWORD. */
async function run(
  cli: Cli,
  instances: readonly string[],
  { requestId }: { readonly requestId?: string },
): Promise<void> {
  const api = await signedIn(cli)
  const body = { request_id: requestId ?? randomUUID(), instance_names: instances }
  const credential = await generateDatabaseCredential(api, body)
  if (cli.output === 'json') return showJson(cli, credential)
  cli.terminal.print(credential.token)
  if (cli.terminal.isInteractive)
    cli.terminal.note(`It logs in until ${shownTime(credential.expiration_time)}; open sessions live on.`)
}
