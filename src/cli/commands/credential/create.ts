import type { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { addCredentialOptions, type CredentialOptions } from '../../credential-options.ts'
import { createDatabaseCredential } from '../../database-credential.ts'
import { showJson, shownTime } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create <instances...>',
  summary: 'Get a database credential: a password for an hour at most, for one to ten instances',
  define,
  run,
}

function define(command: Command): void {
  addCredentialOptions(command)
    .option('--request-id <id>', 'kept in the audit record (default: a random one)')
    .addHelpText(
      'after',
      '\nExample: PGPASSWORD=$(postern credential create sample) psql "host=sample.postern.localhost …"',
    )
}

interface Options extends CredentialOptions {
  readonly requestId?: string
}

/** The credential alone goes to standard output, so that it can be put into PGPASSWORD. */
async function run(cli: Cli, instances: readonly string[], options: Options): Promise<void> {
  const api = await signedIn(cli)
  const credential = await createDatabaseCredential(api, instances, options, options.requestId)
  if (cli.output === 'json') return showJson(cli, credential)
  cli.terminal.print(credential.token)
  if (cli.terminal.isInteractive)
    cli.terminal.note(`It logs in until ${shownTime(credential.expiresAt)}; open sessions live on.`)
}
