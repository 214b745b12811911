import { z } from 'zod'
import { Secret } from '../base/secret.ts'
import { ApiClient, readAnswer, type AccessTokens } from './api-client.ts'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'
import { DEFAULT_HOST, resolveEndpoint, type Endpoint } from './endpoint.ts'
import { sendRequest } from './http-request.ts'
import { readSecretFile } from './read-secret.ts'
import { readSession } from './session.ts'

const TokenAnswer = z.object({
  access_token: z.string().min(1),
  token_type: z.string(),
  expires_in: z.number().positive(),
})

/** An access token and when it ends. */
export interface Grant {
  readonly accessToken: Secret
  readonly expiresAt: Date
}

/** The control plane that the options, the environment and a stored sign-in name. */
async function endpointOf(cli: Cli): Promise<Endpoint> {
  const endpoint = await resolveEndpoint(cli.host, cli.caFile)
  if (cli.caFile !== undefined) return endpoint
  const session = await readSession(cli.environment, endpoint.origin)
  return session?.caFile === undefined ? endpoint : resolveEndpoint(cli.host, session.caFile)
}

/**
 * The API as whoever the command acts for: the service principal of POSTERN_CLIENT_ID where that is set, else the stored
 * sign-in of a person.
 * @throws CliError denied when there is neither, or the sign-in has expired
 */
export async function signedIn(cli: Cli): Promise<ApiClient> {
  const endpoint = await endpointOf(cli)
  const accessTokens = cli.environment['POSTERN_CLIENT_ID']
    ? servicePrincipalTokens(cli, endpoint)
    : sessionTokens(cli, endpoint)
  return new ApiClient(endpoint, accessTokens)
}

/** The access token that {@link signedIn} would send. */
export async function currentAccessToken(cli: Cli): Promise<Secret> {
  const endpoint = await endpointOf(cli)
  return (
    cli.environment['POSTERN_CLIENT_ID'] ? servicePrincipalTokens(cli, endpoint) : sessionTokens(cli, endpoint)
  ).get()
}

/**
 * Signs a person in with e-mail and password at the token endpoint.
 * @see RFC 6749 section 4.3; `postern` is the client id of this CLI
 */
export function grantByPassword(cli: Cli, endpoint: Endpoint, email: string, password: Secret): Promise<Grant> {
  const form = {
    grant_type: 'password',
    client_id: 'postern',
    username: email,
    password: password.reveal(),
    scope: 'all-apis',
  }
  return requestGrant(cli, endpoint, form)
}

/** Signs a service principal in: RFC 6749 section 4.4, client authentication by section 2.3.1. */
function grantByClientSecret(cli: Cli, endpoint: Endpoint, clientId: string, secret: Secret): Promise<Grant> {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret.reveal())}`
  const form = { grant_type: 'client_credentials', scope: 'all-apis' }
  return requestGrant(cli, endpoint, form, `Basic ${Buffer.from(pair).toString('base64')}`)
}

async function requestGrant(
  cli: Cli,
  endpoint: Endpoint,
  form: Record<string, string>,
  authorization?: string,
): Promise<Grant> {
  const answer = await sendRequest(endpoint, {
    method: 'POST',
    path: '/oidc/v1/token',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization !== undefined && { authorization }),
    },
    body: new URLSearchParams(form).toString(),
    timeoutMs: 30_000,
  })
  const { access_token, expires_in } = readAnswer(endpoint, answer, TokenAnswer)
  return { accessToken: new Secret(access_token), expiresAt: new Date(cli.clock.now().getTime() + expires_in * 1000) }
}

function sessionTokens(cli: Cli, endpoint: Endpoint): AccessTokens {
  return {
    async get() {
      const session = await readSession(cli.environment, endpoint.origin)
      const hint = `Run \`postern login${endpoint.origin === DEFAULT_HOST ? '' : ` --host ${endpoint.origin}`}\`, or set POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET_FILE.`
      if (session === undefined) throw new CliError('denied', `you are not signed in at ${endpoint.origin}`, { hint })
      if (session.expiresAt <= cli.clock.now()) {
        throw new CliError('denied', `the sign-in of ${session.email} at ${endpoint.origin} has expired`, { hint })
      }
      return session.accessToken
    },
  }
}

function servicePrincipalTokens(cli: Cli, endpoint: Endpoint): AccessTokens {
  const clientId = cli.environment['POSTERN_CLIENT_ID'] ?? ''
  let grant: Promise<Grant> | undefined
  const mint = async () => grantByClientSecret(cli, endpoint, clientId, await clientSecret(cli))
  const renew = async () => (await (grant = mint())).accessToken
  return { get: async () => (grant === undefined ? renew() : (await grant).accessToken), renew }
}

async function clientSecret(cli: Cli): Promise<Secret> {
  const { POSTERN_CLIENT_SECRET: secret, POSTERN_CLIENT_SECRET_FILE: file } = cli.environment
  if (file) return readSecretFile(file, 'POSTERN_CLIENT_SECRET_FILE')
  if (secret) return new Secret(secret)
  throw new CliError('caller', 'POSTERN_CLIENT_ID is set, but no secret', {
    hint: 'Set POSTERN_CLIENT_SECRET_FILE or POSTERN_CLIENT_SECRET.',
  })
}
