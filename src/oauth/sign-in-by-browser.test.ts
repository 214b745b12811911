import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { bearer, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import {
  authorizationCode,
  authorizationRequest,
  enterPassword,
  exchangeCode,
  refresh,
  signIn,
} from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

it('signs a person in by a browser: sign-in page, code, one-hour access token of the workspace, and a refresh token', async () => {
  const request = authorizationRequest('postern')
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(request.path)
  expect(page.heading).toBe('Sign in to main')
  const back = await enterPassword(fixture, browser, page)
  expect(back.url.origin).toBe('http://localhost:8020')
  expect(back.url.searchParams.get('state')).toBe(request.state)
  expect(back.url.searchParams.get('iss')).toBe('http://127.0.0.1/oidc')
  const answer = await exchangeCode(fixture, request, back.url.searchParams.get('code') ?? '')
  expect(answer.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis offline_access' })
  const { access_token: accessToken } = answer.json<{ access_token: string }>()
  expect(decodeProtectedHeader(accessToken)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
  expect(decodeJwt(accessToken)).toMatchObject({
    iss: 'http://127.0.0.1/oidc',
    aud: fixture.workspaceId,
    sub: fixture.admin.principalId,
    client_id: 'postern',
    scope: 'all-apis offline_access',
  })
  const me = await fixture.app.inject({ url: '/v1/me', headers: bearer(accessToken) })
  expect(me.json()).toMatchObject({ name: fixture.adminEmail, kind: 'user' })
})

it('refreshes by rotation: every refresh token is good for one use', async () => {
  const first = await signIn(fixture)
  const second = (await refresh(fixture, 'postern', first.refresh_token)).json()
  expect(second).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis offline_access' })
  expect(second.refresh_token).not.toBe(first.refresh_token)
  const third = await refresh(fixture, 'postern', second.refresh_token)
  expect(third.statusCode).toBe(200)
})

it('says "Refresh token is invalid", exactly, of a refresh token that is dead, for clients that look for it', async () => {
  const answer = await refresh(fixture, 'databricks-cli', 'nonsense')
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toEqual({ error: 'invalid_grant', error_description: 'Refresh token is invalid' })
})

it('asks about databricks-cli once, and after that only who goes on', async () => {
  const browser = new WebBrowser(fixture.app)
  const signInPage = await browser.open(authorizationRequest('databricks-cli').path)
  const consent = await enterPassword(fixture, browser, signInPage)
  expect(consent.heading).toBe('Allow the Databricks CLI or an SDK?')
  expect(consent.body).toContain(fixture.adminEmail)
  const allowed = await browser.submit(consent, { action: 'allow' })
  expect(allowed.url.searchParams.get('code')).not.toBeNull()
  const again = await browser.open(authorizationRequest('databricks-cli').path)
  expect(again.heading).toBe('Continue to the Databricks CLI or an SDK')
  const elsewhere = new WebBrowser(fixture.app)
  const fresh = await enterPassword(
    fixture,
    elsewhere,
    await elsewhere.open(authorizationRequest('databricks-cli').path),
  )
  expect(fresh.url.searchParams.get('code')).not.toBeNull()
})

it('gives no token unseen from a browser that is signed in: a native client proves nothing about who it is', async () => {
  const browser = new WebBrowser(fixture.app)
  await authorizationCode(fixture, authorizationRequest('postern'), browser)
  const page = await browser.open(authorizationRequest('postern', 'http://127.0.0.1:9999/callback').path)
  expect(page.heading).toBe('Continue to the Postern command line')
  expect(page.body).toContain(`Continue as ${fixture.adminEmail}`)
  const silent = await browser.open(authorizationRequest('postern', undefined, { prompt: 'none' }).path)
  expect(silent.url.searchParams.get('error')).toBe('interaction_required')
})

it('gives no refresh token that was not asked for, and says so in the scope', async () => {
  const request = authorizationRequest('postern', 'http://127.0.0.1:8021/callback', { scope: 'all-apis' })
  const answer = await exchangeCode(fixture, request, await authorizationCode(fixture, request))
  expect(answer.json()).toMatchObject({ scope: 'all-apis' })
  expect(answer.json()).not.toHaveProperty('refresh_token')
})

it('takes no scope for the one that there is', async () => {
  const request = authorizationRequest('postern', undefined, { scope: undefined })
  const answer = await exchangeCode(fixture, request, await authorizationCode(fixture, request))
  expect(answer.json()).toMatchObject({ scope: 'all-apis' })
})

it('passes over scopes that it does not have', async () => {
  const request = authorizationRequest('databricks-cli', undefined, { scope: 'openid sql profile all-apis' })
  const answer = await exchangeCode(fixture, request, await authorizationCode(fixture, request))
  expect(answer.json()).toMatchObject({ scope: 'all-apis' })
  expect(answer.json()).not.toHaveProperty('id_token')
})
