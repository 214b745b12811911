import { Secret } from '../base/secret.ts'
import { ApiClient, type AccessTokens } from './api-client.ts'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'
import { DEFAULT_HOST, resolveEndpoint, type Endpoint } from './endpoint.ts'
import { readProfile } from './profile.ts'
import { readSecretFile } from './read-secret.ts'
import { readSession, type SessionPlace } from './session.ts'
import { SessionTokens } from './session-tokens.ts'
import { grantByClientSecret, type Grant } from './token-endpoint.ts'

/** Where the sign-in that a command uses is kept. */
export function sessionPlaceOf({ environment, profile }: Cli, origin: string): SessionPlace {
  return { environment, origin, profile }
}

/** The control plane that the options, the environment and a stored sign-in name. */
async function endpointOf(cli: Cli): Promise<Endpoint> {
  const { environment, profile } = cli
  if (profile !== undefined && (await readProfile(environment, profile)) === undefined) {
    throw new CliError('absent', `there is no profile ${profile}`, {
      hint: `Run \`postern login --profile ${profile} --host URL\`; \`postern profile list\` shows those that exist.`,
    })
  }
  const endpoint = await resolveEndpoint(cli.host, cli.caFile)
  if (cli.caFile !== undefined) return endpoint
  const session = isServicePrincipal(cli) ? undefined : await readSession(sessionPlaceOf(cli, endpoint.origin))
  return session?.caFile === undefined ? endpoint : resolveEndpoint(cli.host, session.caFile)
}

function isServicePrincipal({ environment }: Cli): boolean {
  return Boolean(environment['POSTERN_CLIENT_ID'])
}

/**
 * The API as whoever the command acts for: the service principal of POSTERN_CLIENT_ID where that is set, else the stored
 * sign-in of a person.
 * @throws CliError denied when there is neither, or the sign-in has expired
 */
export async function signedIn(cli: Cli): Promise<ApiClient> {
  const endpoint = await endpointOf(cli)
  return new ApiClient(endpoint, await accessTokensOf(cli, endpoint))
}

/**
 * The access token that {@link signedIn} would send, and when it ends.
 * @param isForced gets a new one also where the stored one is good for a while yet
 */
export async function currentGrant(cli: Cli, isForced = false): Promise<Grant> {
  const endpoint = await endpointOf(cli)
  return isServicePrincipal(cli) ? mint(cli, endpoint) : sessionTokens(cli, endpoint).current(isForced)
}

async function accessTokensOf(cli: Cli, endpoint: Endpoint): Promise<AccessTokens> {
  if (isServicePrincipal(cli)) return servicePrincipalTokens(cli, endpoint)
  const tokens = sessionTokens(cli, endpoint)
  const session = await readSession(sessionPlaceOf(cli, endpoint.origin))
  // Without a refresh token a refusal of the server is the better answer: it says why.
  return session?.refreshToken === undefined ? { get: () => tokens.get() } : tokens
}

function sessionTokens(cli: Cli, endpoint: Endpoint): SessionTokens {
  const { clock, profile } = cli
  const { origin } = endpoint
  const options = profile === undefined ? (origin === DEFAULT_HOST ? '' : ` --host ${origin}`) : ` --profile ${profile}`
  const hint = `Run \`postern login${options}\`, or set POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET_FILE.`
  return new SessionTokens({ place: sessionPlaceOf(cli, origin), endpoint, clock, hint })
}

function servicePrincipalTokens(cli: Cli, endpoint: Endpoint): AccessTokens {
  let grant: Promise<Grant> | undefined
  const renew = async () => {
    const minting = mint(cli, endpoint)
    grant = minting
    // A command that runs for days asks again after a failure.
    minting.catch(() => (grant = undefined))
    return (await minting).accessToken
  }
  return { get: async () => (grant === undefined ? renew() : (await grant).accessToken), renew }
}

async function mint({ clock, environment }: Cli, endpoint: Endpoint): Promise<Grant> {
  const secret = await clientSecret(environment)
  return grantByClientSecret({ endpoint, clock }, environment['POSTERN_CLIENT_ID'] ?? '', secret)
}

async function clientSecret(environment: Cli['environment']): Promise<Secret> {
  const { POSTERN_CLIENT_SECRET: secret, POSTERN_CLIENT_SECRET_FILE: file } = environment
  if (file) return readSecretFile(file, 'POSTERN_CLIENT_SECRET_FILE')
  if (secret) return new Secret(secret)
  throw new CliError('caller', 'POSTERN_CLIENT_ID is set, but no secret', {
    hint: 'Set POSTERN_CLIENT_SECRET_FILE or POSTERN_CLIENT_SECRET.',
  })
}
