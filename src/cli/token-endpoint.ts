import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { Secret } from '../base/secret.ts'
import { readAnswer } from './api-client.ts'
import type { Endpoint } from './endpoint.ts'
import { sendRequest } from './http-request.ts'

/** The public client of this command line at the authorization server. */
export const CLIENT_ID = 'postern'

/** What a person's sign-in asks for: the API, and a refresh token. */
export const SIGN_IN_SCOPE = 'all-apis offline_access'

const TokenAnswer = z.object({
  access_token: z.string().min(1),
  token_type: z.string(),
  expires_in: z.number().positive(),
  refresh_token: z.string().min(1).optional(),
})

/** An access token, when it ends, and what gets the next one without asking. */
export interface Grant {
  readonly accessToken: Secret
  readonly expiresAt: Date
  readonly refreshToken: Secret | undefined
}

/** The authorization server of a control plane, and the clock by which its tokens end. */
export interface TokenEndpoint {
  readonly endpoint: Endpoint
  readonly clock: Clock
}

/**
 * Signs a person in with e-mail and password at the token endpoint.
 * @see RFC 6749 section 4.3
 */
export function grantByPassword(at: TokenEndpoint, email: string, password: Secret): Promise<Grant> {
  const form = { username: email, password: password.reveal(), scope: 'all-apis' }
  return requestGrant(at, { grant_type: 'password', client_id: CLIENT_ID, ...form })
}

/** Signs a service principal in: RFC 6749 section 4.4, client authentication by section 2.3.1. */
export function grantByClientSecret(at: TokenEndpoint, clientId: string, secret: Secret): Promise<Grant> {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret.reveal())}`
  const form = { grant_type: 'client_credentials', scope: 'all-apis' }
  return requestGrant(at, form, `Basic ${Buffer.from(pair).toString('base64')}`)
}

/** Redeems what the browser brought back: RFC 6749 section 4.1.3, RFC 7636 section 4.5. */
export function grantByCode(
  at: TokenEndpoint,
  { code, verifier, redirectUri }: { readonly code: Secret; readonly verifier: Secret; readonly redirectUri: string },
): Promise<Grant> {
  return requestGrant(at, {
    grant_type: 'authorization_code',
    client_id: CLIENT_ID,
    code: code.reveal(),
    code_verifier: verifier.reveal(),
    redirect_uri: redirectUri,
  })
}

/** Asks whether the person has confirmed the code of a device: RFC 8628 section 3.4. */
export function grantByDeviceCode(at: TokenEndpoint, deviceCode: Secret): Promise<Grant> {
  const grantType = 'urn:ietf:params:oauth:grant-type:device_code'
  return requestGrant(at, { grant_type: grantType, client_id: CLIENT_ID, device_code: deviceCode.reveal() })
}

/** The next access token; the refresh token that comes with it replaces the former, which is spent. */
export function grantByRefresh(at: TokenEndpoint, refreshToken: Secret): Promise<Grant> {
  const form = { client_id: CLIENT_ID, refresh_token: refreshToken.reveal() }
  return requestGrant(at, { grant_type: 'refresh_token', ...form })
}

/** Ends a sign-in at the server: RFC 7009. */
export async function revoke({ endpoint }: TokenEndpoint, refreshToken: Secret): Promise<void> {
  const form = { client_id: CLIENT_ID, token: refreshToken.reveal(), token_type_hint: 'refresh_token' }
  await postForm(endpoint, '/oidc/v1/revoke', form, z.unknown())
}

/** Sends a form to the authorization server. */
export async function postForm<Shape extends z.ZodType>(
  endpoint: Endpoint,
  path: string,
  form: Record<string, string>,
  answer: Shape,
  authorization?: string,
): Promise<z.output<Shape>> {
  const sent = await sendRequest(endpoint, {
    method: 'POST',
    path,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization !== undefined && { authorization }),
    },
    body: new URLSearchParams(form).toString(),
    timeoutMs: 30_000,
  })
  return readAnswer(endpoint, sent, answer)
}

async function requestGrant(
  { endpoint, clock }: TokenEndpoint,
  form: Record<string, string>,
  authorization?: string,
): Promise<Grant> {
  const answer = await postForm(endpoint, '/oidc/v1/token', form, TokenAnswer, authorization)
  return {
    accessToken: new Secret(answer.access_token),
    expiresAt: new Date(clock.now().getTime() + answer.expires_in * 1000),
    refreshToken: answer.refresh_token === undefined ? undefined : new Secret(answer.refresh_token),
  }
}
