import { createHash, randomBytes } from 'node:crypto'
import { type HttpFixture, requestToken } from './http-app.ts'
import { WebBrowser, type WebPage } from './web-browser.ts'

/** An authorization request with the verifier that belongs to it. */
export interface AuthorizationRequest {
  readonly path: string
  readonly verifier: string
  readonly state: string
  readonly redirectUri: string
  readonly clientId: string
}

/** Makes the request that native clients send. `extra` adds parameters or, when undefined, leaves them out. */
export function authorizationRequest(
  clientId: string,
  redirectUri = 'http://localhost:8020',
  extra: Readonly<Record<string, string | undefined>> = {},
): AuthorizationRequest {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(12).toString('base64url')
  const all: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'all-apis offline_access',
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...extra,
  }
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const path = `/oidc/v1/authorize?${new URLSearchParams(given).toString()}`
  return { path, verifier, state, redirectUri, clientId }
}

/** Enters e-mail and password of the fixture's administrator on the sign-in page. */
export function enterPassword(fixture: HttpFixture, browser: WebBrowser, page: WebPage): Promise<WebPage> {
  const password = fixture.adminPassword.reveal()
  return browser.submit(page, { email: fixture.adminEmail, password, action: 'sign-in' })
}

/** Goes through all pages as the administrator and answers the code that came back. */
export async function authorizationCode(
  fixture: HttpFixture,
  request: AuthorizationRequest,
  browser = new WebBrowser(fixture.app),
): Promise<string> {
  let page = await browser.open(request.path)
  if (page.heading.startsWith('Sign in')) page = await enterPassword(fixture, browser, page)
  if (/^(Allow|Continue)/.test(page.heading)) page = await browser.submit(page, { action: 'allow' })
  const code = page.url.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${page.status} ${page.url.href} ${page.body}`)
  return code
}

/** Exchanges a code at the token endpoint. */
export function exchangeCode(fixture: HttpFixture, request: AuthorizationRequest, code: string) {
  const { clientId, redirectUri, verifier } = request
  const form = {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  }
  return requestToken(fixture.app, { form: { ...form, code } })
}

/** Uses a refresh token. */
export function refresh(fixture: HttpFixture, clientId: string, refreshToken: string) {
  const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }
  return requestToken(fixture.app, { form })
}

export interface UserTokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
  readonly expires_in: number
  readonly token_type: string
}

/** Signs the administrator in by a browser and answers the tokens. */
export async function signIn(fixture: HttpFixture, clientId = 'postern'): Promise<UserTokens> {
  const request = authorizationRequest(clientId)
  const answer = await exchangeCode(fixture, request, await authorizationCode(fixture, request))
  if (answer.statusCode !== 200) throw new Error(`no tokens: ${answer.statusCode} ${answer.body}`)
  return answer.json<UserTokens>()
}
