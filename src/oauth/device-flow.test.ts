import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { bearer, type HttpFixture, requestToken, startHttpFixture } from '../../test/support/http-app.ts'
import { authorizationCode, authorizationRequest, enterPassword, signIn } from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'
import { deviceGrantType } from './clients.ts'

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

interface DeviceAnswer {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
}

async function begin(clientId = 'postern', remoteAddress = '127.0.0.1') {
  return fixture.app.inject({
    method: 'POST',
    url: '/oidc/v1/device/authorize',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ client_id: clientId, scope: 'all-apis offline_access' }).toString(),
    remoteAddress,
  })
}

function poll(deviceCode: string, clientId = 'postern') {
  const form = { grant_type: deviceGrantType, client_id: clientId, device_code: deviceCode }
  return requestToken(fixture.app, { form })
}

it('signs a device in: a short code, typed on a page, confirmed by somebody who signs in', async () => {
  const device = (await begin()).json<DeviceAnswer>()
  expect(device).toMatchObject({ verification_uri: 'http://127.0.0.1/oidc/device', expires_in: 600 })
  expect(device.user_code).toMatch(/^[A-Z]{4}-[A-Z]{4}$/)
  expect((await poll(device.device_code)).json()).toMatchObject({ error: 'authorization_pending' })
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(device.verification_uri)
  expect(page.heading).toBe('Sign in a device')
  const confirm = await browser.submit(page, { user_code: device.user_code.toLowerCase().replace('-', ' ') })
  expect(confirm.heading).toBe('Is this your device?')
  expect(confirm.body).toContain(device.user_code)
  const signInPage = await browser.submit(confirm, { confirm: 'yes' })
  expect(signInPage.heading).toBe('Sign in to main')
  const done = await enterPassword(fixture, browser, signInPage)
  expect(done.heading).toBe('The device is signed in')
  const answer = await poll(device.device_code)
  expect(answer.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis offline_access' })
  const me = await fixture.app.inject({ url: '/v1/me', headers: bearer(answer.json().access_token) })
  expect(me.json()).toMatchObject({ name: fixture.adminEmail })
  expect((await poll(device.device_code)).json()).toMatchObject({ error: 'invalid_grant' })
})

it('leaves nothing in the store that a reader of it could show: no code, no refresh token, no device code', async () => {
  const device = (await begin()).json<DeviceAnswer>()
  const browser = new WebBrowser(fixture.app)
  const confirm = await browser.submit(await browser.open(device.verification_uri), { user_code: device.user_code })
  await browser.submit(confirm, { confirm: 'yes' })
  const request = authorizationRequest('postern')
  const code = await authorizationCode(fixture, request)
  const { refresh_token: refreshToken } = await signIn(fixture)
  const { rows } = await fixture.deps.store.pool.query<{ row: string }>('select a::text as row from oauth_artifact a')
  const text = rows.map(({ row }) => row).join('\n')
  expect(text).toContain('"RefreshToken"')
  for (const secret of [device.device_code, code, refreshToken]) expect(text).not.toContain(secret)
})

it('shows the code of the complete link for comparison, and does nothing before somebody confirms it', async () => {
  const device = (await begin()).json<DeviceAnswer>()
  const browser = new WebBrowser(fixture.app)
  await authorizationCode(fixture, authorizationRequest('postern'), browser)
  const page = await browser.open(device.verification_uri_complete)
  expect(page.body).toContain(`value="${device.user_code}"`)
  const confirm = await browser.submit(page, { user_code: device.user_code })
  expect(confirm.heading).toBe('Is this your device?')
  const consent = await browser.submit(confirm, { confirm: 'yes' })
  expect(consent.heading).toBe('Continue to the Postern command line')
  expect((await poll(device.device_code)).json()).toMatchObject({ error: 'authorization_pending' })
  expect((await browser.submit(consent, { action: 'allow' })).heading).toBe('The device is signed in')
  expect((await poll(device.device_code)).statusCode).toBe(200)
})

it('tells the device when somebody cancels, on either page', async () => {
  const browser = new WebBrowser(fixture.app)
  const first = (await begin()).json<DeviceAnswer>()
  const confirm = await browser.submit(await browser.open(first.verification_uri), { user_code: first.user_code })
  expect((await browser.submit(confirm, { abort: 'yes' })).heading).toBe('Cancelled')
  expect((await poll(first.device_code)).json()).toMatchObject({ error: 'access_denied' })
  const second = (await begin()).json<DeviceAnswer>()
  const again = await browser.submit(await browser.open(second.verification_uri), { user_code: second.user_code })
  const signInPage = await browser.submit(again, { confirm: 'yes' })
  expect((await browser.submit(signInPage, { action: 'cancel' })).heading).toBe('Cancelled')
  expect((await poll(second.device_code)).json()).toMatchObject({ error: 'access_denied' })
})

it('takes no form that another site sends, and no code a second time', async () => {
  const device = (await begin()).json<DeviceAnswer>()
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(device.verification_uri)
  const forged = await browser.submit(page, { user_code: device.user_code, confirm: 'yes', xsrf: 'guessed' })
  expect(forged.heading).toBe('Sign in a device')
  expect((await poll(device.device_code)).json()).toMatchObject({ error: 'authorization_pending' })
  const confirm = await browser.submit(await browser.open(device.verification_uri), { user_code: device.user_code })
  await enterPassword(fixture, browser, await browser.submit(confirm, { confirm: 'yes' }))
  const other = new WebBrowser(fixture.app)
  const late = await other.submit(await other.open(device.verification_uri), { user_code: device.user_code })
  expect(late.body).toContain('This code was used already')
})

it('says that a code has expired, on the page and to the device', async () => {
  const device = (await begin()).json<DeviceAnswer>()
  await fixture.deps.store.pool.query(
    `update oauth_artifact set payload = jsonb_set(payload, '{exp}', to_jsonb((payload ->> 'exp')::bigint - 700)),
       expires_at = expires_at - interval '700 seconds' where model = 'DeviceCode' and user_code = $1`,
    [device.user_code.replace('-', '')],
  )
  const browser = new WebBrowser(fixture.app)
  const page = await browser.submit(await browser.open(device.verification_uri), { user_code: device.user_code })
  expect(page.body).toContain('This code is too old')
  expect((await poll(device.device_code)).json()).toMatchObject({ error: 'expired_token' })
})

it('gives device codes to the command line alone', async () => {
  expect((await begin('databricks-cli')).json()).toMatchObject({ error: 'invalid_request' })
  expect((await begin('nobody')).statusCode).toBe(401)
})

it('slows whoever tries codes to where trying is hopeless', async () => {
  const browser = new WebBrowser(fixture.app, 'http://127.0.0.1', '192.0.2.9')
  const page = await browser.open('/oidc/device')
  const statuses: number[] = []
  for (let attempt = 0; attempt < 21; attempt++) {
    statuses.push((await browser.submit(page, { user_code: 'BBBB-BBBB' })).status)
  }
  expect(statuses.at(-1)).toBe(429)
  expect(statuses.slice(0, 20)).not.toContain(429)
})
