import { CredentialError } from './credential-error.ts'
import { post } from './post.ts'

/** Who asks for credentials, where, and for what. */
export interface CredentialRequest {
  /** The control plane: `https://postern.example.test`. */
  readonly host: string
  /** Name of the instance, or of up to ten. */
  readonly instance: string | readonly string[]
  /** Client id and secret of a service principal. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** Instead of a service principal: gives an access token each time it is asked, for example of a person. */
  readonly accessToken?: () => Promise<string>
  /** The credential logs in as the Postgres role of this group alone. */
  readonly group?: string
  /** The credential logs in to a physical standby alone. */
  readonly readOnly?: boolean
  /** 300 to 3600; default 3600. */
  readonly lifetimeSeconds?: number
  /** PEM to trust for https instead of the public authorities. */
  readonly ca?: string
}

/** A database credential. */
export interface Credential {
  readonly token: string
  /** Remaining time when it came, by the clock of the control plane: that of this machine may be wrong. */
  readonly lifetimeMs: number
}

/** @throws CredentialError, TypeError for options that cannot be meant */
export async function requestCredential(request: CredentialRequest): Promise<Credential> {
  const accessToken = await accessTokenOf(request)
  const { body, answeredAt } = await post({
    url: new URL('/v1/databaseCredentials', requireHost(request.host)),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({
      instanceNames: [request.instance].flat(),
      groupName: request.group,
      readOnly: request.readOnly,
      lifetimeSeconds: request.lifetimeSeconds,
    }),
    ca: request.ca,
  })
  const { token, expiresAt } = body
  if (typeof token !== 'string' || typeof expiresAt !== 'string') throw unexpected(request)
  return { token, lifetimeMs: new Date(expiresAt).getTime() - answeredAt.getTime() }
}

async function accessTokenOf(request: CredentialRequest): Promise<string> {
  const { host, clientId, clientSecret, accessToken, ca } = request
  if (accessToken !== undefined) return accessToken()
  if (!clientId || !clientSecret) throw new TypeError('give clientId and clientSecret, or accessToken')
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  const { body } = await post({
    url: new URL('/oidc/v1/token', requireHost(host)),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
    },
    body: 'grant_type=client_credentials&scope=all-apis',
    ca,
  })
  if (typeof body['access_token'] !== 'string') throw unexpected(request)
  return body['access_token']
}

/** Plain http is for this machine alone: a secret goes over it. */
function requireHost(host: string): URL {
  const url = new URL(host)
  const isLoopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)) return url
  throw new TypeError(`host ${url.origin} would send a secret unencrypted: use https`)
}

function unexpected({ host }: CredentialRequest): CredentialError {
  return new CredentialError(`the answer of ${host} is not in the form this version expects`, 'UNEXPECTED_ANSWER', 200)
}
