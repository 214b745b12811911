import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { resolveEndpoint } from '../endpoint.ts'
import { shownTime, showDone } from '../output.ts'
import { readSecret } from '../read-secret.ts'
import { grantByPassword } from '../sign-in.ts'
import { writeSession } from '../session.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'login',
  summary: 'Sign in with e-mail and password',
  define,
  run,
}

function define(command: Command): void {
  command
    .requiredOption('--email <address>', 'who signs in')
    .option('--password-file <file>', 'file that holds the password, or - for standard input; default: asked for')
}

interface Options {
  readonly email: string
  readonly passwordFile?: string
}

async function run(cli: Cli, { email, passwordFile }: Options): Promise<void> {
  const endpoint = await resolveEndpoint(cli.host, cli.caFile)
  const password = await readSecret(
    cli.terminal,
    passwordFile,
    `Password of ${email} at ${endpoint.origin}: `,
    '--password-file',
  )
  const { accessToken, expiresAt } = await grantByPassword(cli, endpoint, email, password).catch(
    explainRefusal(email, endpoint.origin),
  )
  const caFile = cli.caFile === undefined ? undefined : resolve(cli.caFile)
  await writeSession(cli.environment, { origin: endpoint.origin, email, accessToken, expiresAt, caFile })
  const until = expiresAt.toISOString()
  showDone(
    cli,
    { host: endpoint.origin, email, expiresAt: until },
    `Signed in to ${endpoint.origin} as ${email} until ${shownTime(until)}.`,
  )
}

/** The token endpoint says little about a refusal, on purpose; what to check is the same each time. */
function explainRefusal(email: string, origin: string): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof CliError) || thrown.failure !== 'denied') throw thrown
    const { code, requestId } = thrown
    // The client `postern` is there for this grant alone: a control plane without the grant does not know it.
    if (code === 'invalid_client') {
      throw new CliError('denied', `sign-in with e-mail and password is switched off at ${origin}`, {
        hint: 'Set POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET_FILE of a service principal; the operator switches it with --http-password-grant.',
        code,
        requestId,
        cause: thrown,
      })
    }
    throw new CliError('denied', `${origin} refused the e-mail or password of ${email}`, {
      hint: 'Check both and sign in again.',
      code,
      requestId,
      cause: thrown,
    })
  }
}
