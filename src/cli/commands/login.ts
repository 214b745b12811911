import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Me } from '../../contract/service-principals.ts'
import { ApiClient } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { resolveEndpoint, type Endpoint } from '../endpoint.ts'
import { logInWithBrowser } from '../login/browser-login.ts'
import { logInWithDevice } from '../login/device-login.ts'
import { shownTime, showDone } from '../output.ts'
import { writeProfile } from '../profile.ts'
import { readSecret } from '../read-secret.ts'
import { sessionPlaceOf } from '../sign-in.ts'
import { writeSession } from '../session.ts'
import { grantByPassword, type Grant } from '../token-endpoint.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'login',
  summary: 'Sign in: with the browser, with a code from another machine, or with e-mail and password',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--device', 'show a code to enter in a browser of another machine')
    .option('--no-browser', 'print the address instead of opening the browser')
    .option('--email <address>', 'sign in with e-mail and password, without a browser')
    .option('--password-file <file>', 'file that holds the password, or - for standard input; default: asked for')
    .addHelpText(
      'after',
      `
With --profile NAME the sign-in gets a name of its own, and the commands that follow take --profile NAME instead of --host.`,
    )
}

interface Options {
  readonly device?: true
  readonly browser: boolean
  readonly email?: string
  readonly passwordFile?: string
}

async function run(cli: Cli, options: Options): Promise<void> {
  const endpoint = await resolveEndpoint(cli.host, cli.caFile)
  const grant = await logIn(cli, endpoint, options)
  const { accessToken, expiresAt, refreshToken } = grant
  const api = new ApiClient(endpoint, { get: () => Promise.resolve(accessToken) })
  const email = options.email ?? (await api.call({ method: 'GET', path: '/v1/me', answer: Me })).name
  const caFile = cli.caFile === undefined ? undefined : resolve(cli.caFile)
  const { origin } = endpoint
  await writeSession(sessionPlaceOf(cli, origin), { origin, email, accessToken, expiresAt, refreshToken, caFile })
  if (cli.profile !== undefined) await writeProfile(cli.environment, { name: cli.profile, host: origin, caFile })
  const until = expiresAt.toISOString()
  // With a refresh token the end of this access token is nothing that the person would notice.
  const end = refreshToken === undefined ? ` until ${shownTime(until)}` : ''
  showDone(cli, { host: origin, email, expiresAt: until }, `Signed in to ${origin} as ${email}${end}.`)
}

async function logIn(cli: Cli, endpoint: Endpoint, options: Options): Promise<Grant> {
  const { device, browser, email, passwordFile } = options
  if (device && (email !== undefined || !browser)) {
    throw new CliError('caller', '--device goes with neither --email nor --no-browser', { hint: 'Choose one of them.' })
  }
  if (email === undefined && passwordFile !== undefined) {
    throw new CliError('caller', '--password-file needs --email', { hint: 'Say who signs in.' })
  }
  if (device) return logInWithDevice(cli, endpoint)
  if (email === undefined) return logInWithBrowser(cli, endpoint, browser)
  const { origin } = endpoint
  const question = `Password of ${email} at ${origin}: `
  const password = await readSecret(cli.terminal, passwordFile, question, '--password-file')
  return grantByPassword({ endpoint, clock: cli.clock }, email, password).catch(explainRefusal(email, origin))
}

/** The token endpoint says little about a refusal, on purpose; what to check is the same each time. */
function explainRefusal(email: string, origin: string): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof CliError)) throw thrown
    const { code, requestId } = thrown
    if (code === 'invalid_client' || code === 'unauthorized_client' || code === 'unsupported_grant_type') {
      throw new CliError('denied', `sign-in with e-mail and password is switched off at ${origin}`, {
        hint: 'Leave out --email to sign in with the browser; the operator switches it with --http-password-grant.',
        code,
        requestId,
        cause: thrown,
      })
    }
    if (thrown.failure !== 'denied') throw thrown
    throw new CliError('denied', `${origin} refused the e-mail or password of ${email}`, {
      hint: 'Check both and sign in again.',
      code,
      requestId,
      cause: thrown,
    })
  }
}
