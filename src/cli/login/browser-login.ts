import { createHash, randomBytes } from 'node:crypto'
import { Secret } from '../../base/secret.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import type { Endpoint } from '../endpoint.ts'
import { CLIENT_ID, grantByCode, SIGN_IN_SCOPE, type Grant } from '../token-endpoint.ts'
import { awaitRedirect } from './loopback-redirect.ts'
import { openBrowser } from './open-browser.ts'

/** A person finds the password, and perhaps a second factor at an identity provider. */
const personTimeoutMs = 10 * 60_000

/**
 * Signs a person in with the browser: authorization code with PKCE, redirected to a port of this machine.
 * @param opensBrowser false prints the address alone
 * @see RFC 6749 section 4.1, RFC 7636, RFC 8252
 */
export async function logInWithBrowser(cli: Cli, endpoint: Endpoint, opensBrowser: boolean): Promise<Grant> {
  const state = randomSecret()
  const verifier = randomSecret()
  const redirect = await awaitRedirect(state)
  let stopListening: (() => void) | undefined
  try {
    const url = authorizationUrl(endpoint, { state, verifier, redirectUri: redirect.redirectUri })
    const isOpened = opensBrowser && (await openBrowser(cli.environment, url))
    cli.terminal.note(isOpened ? `Your browser opens. If it does not, go to:` : 'Sign in with your browser at:')
    cli.terminal.note(`\n  ${url}\n`)
    const interrupted = new Promise<never>((_resolve, reject) => {
      stopListening = cli.terminal.onInterrupt(() => reject(new CliError('interrupted', 'interrupted')))
    })
    const { code, issuer, finish } = await Promise.race([redirect.answer(personTimeoutMs), interrupted])
    try {
      requireIssuer(endpoint, issuer)
      const grant = await grantByCode(
        { endpoint, clock: cli.clock },
        { code, verifier, redirectUri: redirect.redirectUri },
      )
      finish('Signed in', 'The command line goes on. You can close this window.')
      return grant
    } catch (thrown) {
      finish('Not signed in', 'You can close this window; the command line says more.')
      throw thrown
    }
  } finally {
    stopListening?.()
    redirect.close()
  }
}

function randomSecret(): Secret {
  return new Secret(randomBytes(32).toString('base64url'))
}

function authorizationUrl(
  { origin }: Endpoint,
  parts: { readonly state: Secret; readonly verifier: Secret; readonly redirectUri: string },
): string {
  const url = new URL('/oidc/v1/authorize', origin)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: parts.redirectUri,
    scope: SIGN_IN_SCOPE,
    state: parts.state.reveal(),
    code_challenge: createHash('sha256').update(parts.verifier.reveal()).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString()
  return url.href
}

/** The code goes to the control plane that we sent the browser to; one that another server issued is not for it (RFC 9207). */
function requireIssuer({ origin }: Endpoint, issuer: string | undefined): void {
  if (issuer === undefined || issuer === `${origin}/oidc`) return
  const [given, expected] = [URL.parse(issuer), new URL(origin)]
  const isSameMachine = given !== null && given.port === expected.port && isLocal(given) && isLocal(expected)
  if (isSameMachine) return
  throw new CliError('denied', `the browser brought an answer of another server than ${origin}`, {
    hint: 'Give --host as the server calls itself, then sign in again.',
  })
}

function isLocal({ hostname, protocol }: URL): boolean {
  return protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/.test(hostname)
}
