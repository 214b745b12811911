import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addServicePrincipal, bearer, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { enterPassword } from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'

/**
 * Requests as the published sources of the compatible API's clients write them, field by field and escaped as they escape:
 * the Databricks CLI 0.256 and 1.x (golang.org/x/oauth2 with AuthStyleInParams sorts its fields), databricks-sdk-py, and
 * databricks-sdk-java, which leaves the redirect address as it is. Verifier and challenge are those of RFC 7636 appendix B.
 */
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const challenge = createHash('sha256').update(verifier).digest('base64url')

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

interface Recording {
  readonly client: string
  /** Query of the authorization request, as it is sent. */
  readonly authorize: string
  readonly userAgent: string
  /** Body of the code exchange; CODE stands for the code. */
  readonly exchange: string
  /** Body of the refresh; REFRESH stands for the refresh token. */
  readonly refresh: string
}

const recordings: readonly Recording[] = [
  {
    client: 'Databricks CLI 0.256 (Go)',
    userAgent: 'cli/0.256.0 databricks-sdk-go/0.75.0 go/1.24.3 os/linux cmd/auth_login auth/databricks-cli',
    authorize: `client_id=databricks-cli&code_challenge=${challenge}&code_challenge_method=S256&redirect_uri=http%3A%2F%2Flocalhost%3A8020&response_type=code&scope=offline_access+all-apis&state=rNzUxMjQ4`,
    exchange: `client_id=databricks-cli&code=CODE&code_verifier=${verifier}&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8020`,
    refresh: 'client_id=databricks-cli&grant_type=refresh_token&refresh_token=REFRESH',
  },
  {
    client: 'Databricks CLI 1.9 (Go), with a list of scopes',
    userAgent: 'cli/1.9.0 databricks-sdk-go/0.175.0 go/1.25.4 os/darwin cmd/auth_login auth/databricks-cli',
    authorize: `client_id=databricks-cli&code_challenge=${challenge}&code_challenge_method=S256&redirect_uri=http%3A%2F%2Flocalhost%3A8021&response_type=code&scope=all-apis+sql+offline_access&state=0qVb`,
    exchange: `client_id=databricks-cli&code=CODE&code_verifier=${verifier}&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8021`,
    refresh: 'client_id=databricks-cli&grant_type=refresh_token&refresh_token=REFRESH',
  },
  {
    client: 'databricks-sdk-py, external-browser',
    userAgent: 'python-requests/2.32.4',
    authorize: `response_type=code&client_id=databricks-cli&redirect_uri=http%3A%2F%2Flocalhost%3A8020&scope=all-apis+offline_access&state=fGzH3&code_challenge=${challenge}&code_challenge_method=S256`,
    exchange: `redirect_uri=http%3A%2F%2Flocalhost%3A8020&grant_type=authorization_code&code_verifier=${verifier}&code=CODE&client_id=databricks-cli`,
    refresh: 'grant_type=refresh_token&refresh_token=REFRESH&client_id=databricks-cli',
  },
  {
    client: 'databricks-sdk-java, external-browser',
    userAgent: 'databricks-sdk-java/0.149.0 jvm/17.0.12 os/linux',
    authorize: `response_type=code&client_id=databricks-cli&redirect_uri=http://localhost:8080/callback&scope=offline_access%20all-apis&state=cQ1&code_challenge=${challenge}&code_challenge_method=S256`,
    exchange: `grant_type=authorization_code&code=CODE&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcallback&code_verifier=${verifier}&client_id=databricks-cli`,
    refresh: 'grant_type=refresh_token&refresh_token=REFRESH&client_id=databricks-cli',
  },
]

function post(body: string, userAgent: string, authorization?: string) {
  return fixture.app.inject({
    method: 'POST',
    url: '/oidc/v1/token',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': userAgent,
      accept: '*/*',
      'accept-encoding': 'gzip',
      ...(authorization && { authorization }),
    },
    payload: body,
  })
}

it.each(recordings)('$client signs a person in and refreshes', async (recording) => {
  const { authorize, exchange, refresh, userAgent } = recording
  const browser = new WebBrowser(fixture.app)
  let page = await enterPassword(fixture, browser, await browser.open(`/oidc/v1/authorize?${authorize}`))
  if (page.heading.startsWith('Allow')) page = await browser.submit(page, { action: 'allow' })
  const { searchParams } = page.url
  expect(searchParams.get('state')).toBe(new URLSearchParams(authorize).get('state'))
  const tokens = await post(exchange.replace('CODE', searchParams.get('code') ?? ''), userAgent)
  expect(tokens.headers['content-type']).toMatch(/^application\/json/)
  expect(tokens.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis offline_access' })
  const again = await post(refresh.replace('REFRESH', tokens.json().refresh_token), userAgent)
  expect(again.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis offline_access' })
  const me = await fixture.app.inject({ url: '/v1/me', headers: bearer(again.json().access_token) })
  expect(me.json()).toMatchObject({ name: fixture.adminEmail })
  const dead = await post(refresh.replace('REFRESH', tokens.json().refresh_token), userAgent)
  expect([dead.statusCode, dead.json()]).toEqual([
    400,
    { error: 'invalid_grant', error_description: 'Refresh token is invalid' },
  ])
})

it.each([
  ['databricks-sdk-py', 'grant_type=client_credentials&scope=all-apis'],
  ['databricks-sdk-go', 'grant_type=client_credentials&scope=all-apis&authorization_details=%5B%5D'],
  ['databricks-sdk-java', 'scope=all-apis&grant_type=client_credentials'],
])('%s signs a service principal in', async (_client, form) => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
  const answer = await post(form, _client, basic)
  expect(answer.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis' })
})

it('is found by what each client asks first', async () => {
  const get = async (url: string) => (await fixture.app.inject({ url, headers: { accept: 'application/json' } })).json()
  const host = await get('/.well-known/databricks-config')
  expect(host.oidc_endpoint).not.toContain('/oidc/accounts/')
  expect(host.workspace_id).toMatch(/^\d+$/)
  const path = new URL(`${host.oidc_endpoint}/.well-known/oauth-authorization-server`).pathname
  for (const document of [await get(path), await get('/oidc/.well-known/oauth-authorization-server')]) {
    expect(document).toMatchObject({
      authorization_endpoint: `${host.oidc_endpoint}/v1/authorize`,
      token_endpoint: `${host.oidc_endpoint}/v1/token`,
    })
  }
})

it('answers a device as RFC 8628 writes its requests', async () => {
  const begin = await fixture.app.inject({
    method: 'POST',
    url: '/oidc/v1/device/authorize',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'client_id=postern&scope=all-apis%20offline_access',
  })
  expect(begin.json()).toMatchObject({ device_code: expect.any(String), user_code: expect.any(String) })
  const device = encodeURIComponent(begin.json().device_code)
  const grant = 'urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code'
  const polled = await post(`grant_type=${grant}&device_code=${device}&client_id=postern`, 'device')
  expect([polled.statusCode, polled.json().error]).toEqual([400, 'authorization_pending'])
})
