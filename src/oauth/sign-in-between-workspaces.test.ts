import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { bearer, type HttpFixture, requestToken, startHttpFixture } from '../../test/support/http-app.ts'
import { type AuthorizationRequest, authorizationRequest, enterPassword } from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'
import { createWorkspace } from '../identity/create-workspace.ts'

/** Two workspaces on one deployment; the same person administers both. */
let postgres: EmbeddedPostgres
let fixture: HttpFixture

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  const options = { publicUrl: 'https://main.test', httpBehindTlsProxy: true }
  fixture = await startHttpFixture(await postgres.freshStore(), options)
  const second = { name: 'second', hosts: ['second.test'], gatewayDomain: 'second.localhost' }
  await createWorkspace(fixture.deps, fixture.admin, second)
  await fixture.deps.signingKeys.refresh()
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

async function codeOf(host: string, browser: WebBrowser, request: AuthorizationRequest): Promise<string> {
  const page = await browser.open(request.path)
  expect(page.heading).toBe(`Sign in to ${host.split('.')[0]}`)
  const back = await enterPassword(fixture, browser, page)
  return back.url.searchParams.get('code') ?? ''
}

function exchangeAt(host: string, { clientId, redirectUri, verifier }: AuthorizationRequest, code: string) {
  const form = { client_id: clientId, redirect_uri: redirectUri, code_verifier: verifier, code }
  return requestToken(fixture.app, { form: { grant_type: 'authorization_code', ...form }, headers: { host } })
}

it('gives the codes, refresh tokens and access tokens of one workspace no worth in another', async () => {
  const request = authorizationRequest('postern')
  const browser = new WebBrowser(fixture.app, 'https://main.test')
  const code = await codeOf('main.test', browser, request)
  expect((await exchangeAt('second.test', request, code)).json()).toMatchObject({ error: 'invalid_grant' })
  const tokens = (await exchangeAt('main.test', request, code)).json()
  expect(decodeJwt(tokens.access_token)).toMatchObject({ iss: 'https://main.test/oidc', aud: fixture.workspaceId })
  const form = { grant_type: 'refresh_token', client_id: 'postern', refresh_token: tokens.refresh_token }
  const elsewhere = await requestToken(fixture.app, { form, headers: { host: 'second.test' } })
  expect(elsewhere.json()).toMatchObject({ error_description: 'Refresh token is invalid' })
  expect((await requestToken(fixture.app, { form, headers: { host: 'main.test' } })).statusCode).toBe(200)
  const me = (host: string) => fixture.app.inject({ url: '/v1/me', headers: { ...bearer(tokens.access_token), host } })
  expect((await me('main.test')).statusCode).toBe(200)
  expect((await me('second.test')).statusCode).toBe(401)
})

it('says in the answer to the browser which issuer it comes from, so that a client of several is not mixed up', async () => {
  for (const host of ['main.test', 'second.test']) {
    const browser = new WebBrowser(fixture.app, `https://${host}`)
    const back = await enterPassword(fixture, browser, await browser.open(authorizationRequest('postern').path))
    expect(back.url.searchParams.get('iss')).toBe(`https://${host}/oidc`)
    const refused = await browser.open(authorizationRequest('postern', undefined, { prompt: 'none' }).path)
    expect(refused.url.searchParams.get('iss')).toBe(`https://${host}/oidc`)
  }
})

it('takes the session of one workspace for nobody in another, also under the name of the other', async () => {
  const main = new WebBrowser(fixture.app, 'https://main.test')
  await codeOf('main.test', main, authorizationRequest('postern'))
  const second = new WebBrowser(fixture.app, 'https://second.test')
  await second.open('/oidc/device')
  const nameAt = (browser: WebBrowser) => [...browser.cookies.keys()].find((key) => key.includes('_session ')) ?? ''
  const signature = (key: string) => key.replace('_session ', '_session.sig ')
  const [from, to] = [nameAt(main), nameAt(second)]
  for (const [source, target] of [
    [from, to],
    [signature(from), signature(to)],
  ] as const) {
    second.cookies.set(source, main.cookies.get(source)!)
    second.cookies.set(target, main.cookies.get(source)!)
  }
  expect((await second.open(authorizationRequest('postern').path)).heading).toBe('Sign in to second')
})

it('keeps its cookies from scripts, from other sites, and from plain HTTP', async () => {
  const { path } = authorizationRequest('postern')
  const answer = await fixture.app.inject({ url: path, headers: { host: 'main.test' } })
  const cookies = [answer.headers['set-cookie'] ?? []].flat()
  expect(cookies.length).toBeGreaterThan(0)
  for (const cookie of cookies) {
    expect(cookie).toMatch(/; httponly/i)
    expect(cookie).toMatch(/; samesite=lax/i)
    expect(cookie).toMatch(/; secure/i)
  }
})
