import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { addCredentialOptions, type CredentialOptions } from '../credential-options.ts'
import { createDatabaseCredential } from '../database-credential.ts'
import { showJson } from '../output.ts'
import { currentGrant, signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'token',
  summary: 'Print the access token for the HTTP API, or with --instance a database credential',
  define,
  run,
}

function define(command: Command): void {
  addCredentialOptions(
    command.option(
      '--instance <name>',
      'a database credential for this instance, the password for Postgres; up to ten times',
      (name: string, names: readonly string[] | undefined) => [...(names ?? []), name],
    ),
  ).addHelpText(
    'after',
    '\nExample: PGPASSWORD=$(postern token --instance sample) psql "host=sample.postern.localhost …"',
  )
}

interface Options extends CredentialOptions {
  readonly instance?: readonly string[]
}

/** The token alone goes to standard output, so that it can be put into a variable. */
async function run(cli: Cli, { instance: instances, ...restrictions }: Options): Promise<void> {
  if (instances !== undefined) {
    const credential = await createDatabaseCredential(await signedIn(cli), instances, restrictions)
    return cli.output === 'json' ? showJson(cli, credential) : cli.terminal.print(credential.token)
  }
  const { group, readOnly, lifetime } = restrictions
  if (group !== undefined || readOnly !== undefined || lifetime !== undefined) {
    throw new CliError('caller', '--group, --read-only and --lifetime are for database credentials', {
      hint: 'Name the instance with --instance.',
    })
  }
  const accessToken = (await currentGrant(cli)).accessToken.reveal()
  if (cli.output === 'json') showJson(cli, { access_token: accessToken, token_type: 'Bearer' })
  else cli.terminal.print(accessToken)
}
