import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { decodeJwt, decodeProtectedHeader, exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addServicePrincipal, bearer, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import {
  authorizationCode,
  authorizationRequest,
  enterPassword,
  exchangeCode,
  refresh,
  signIn,
  type UserTokens,
} from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { hashPassword } from '../crypto/password-hash.ts'
import { SignInThrottle } from '../identity/sign-in-throttle.ts'
import { assignWorkspaceRole, insertUser, setPrincipalActive } from '../store/principals.ts'
import { AuthorizationServers } from './authorization-server.ts'
import { loadProvider } from './load-provider.ts'

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

const invalidRefresh = { error: 'invalid_grant', error_description: 'Refresh token is invalid' }
const statusOfMe = async (token: string) =>
  (await fixture.app.inject({ url: '/v1/me', headers: bearer(token) })).statusCode

it('ends everything that a code brought when the code is shown again', async () => {
  const request = authorizationRequest('postern')
  const code = await authorizationCode(fixture, request)
  const tokens = (await exchangeCode(fixture, request, code)).json<UserTokens>()
  expect((await exchangeCode(fixture, request, code)).json()).toMatchObject({ error: 'invalid_grant' })
  expect((await refresh(fixture, 'postern', tokens.refresh_token)).json()).toEqual(invalidRefresh)
  const { rows } = await fixture.deps.store.pool.query(
    `select reason from audit_event where action = 'accessToken.issue' and outcome = 'denied' order by recorded_at`,
  )
  expect(rows).toContainEqual({ reason: 'TOKEN_REUSED' })
})

it('ends a sign-in when a refresh token is used for the second time, also for the thief who came first', async () => {
  const stolen = await signIn(fixture)
  const another = await signIn(fixture)
  const thief = (await refresh(fixture, 'postern', stolen.refresh_token)).json<UserTokens>()
  expect((await refresh(fixture, 'postern', stolen.refresh_token)).json()).toEqual(invalidRefresh)
  expect((await refresh(fixture, 'postern', thief.refresh_token)).json()).toEqual(invalidRefresh)
  expect((await refresh(fixture, 'postern', another.refresh_token)).statusCode).toBe(200)
})

it('has one winner when a code or a refresh token is used many times at once', async () => {
  const request = authorizationRequest('postern')
  const code = await authorizationCode(fixture, request)
  const exchanges = await Promise.all(Array.from({ length: 6 }, () => exchangeCode(fixture, request, code)))
  expect(exchanges.filter(({ statusCode }) => statusCode === 200)).toHaveLength(1)
  const { refresh_token: refreshToken } = await signIn(fixture)
  const refreshes = await Promise.all(Array.from({ length: 6 }, () => refresh(fixture, 'postern', refreshToken)))
  const [winner, ...others] = refreshes.filter(({ statusCode }) => statusCode === 200)
  expect(others).toEqual([])
  const next = winner?.json<UserTokens>().refresh_token ?? ''
  expect((await refresh(fixture, 'postern', next)).json()).toEqual(invalidRefresh)
})

it('takes a code only with the verifier, the redirect address and the client that it was made for', async () => {
  const wrong = { verifier: 'x'.repeat(43), redirectUri: 'http://localhost:8021', clientId: 'databricks-cli' }
  for (const [name, value] of Object.entries(wrong)) {
    const request = authorizationRequest('postern')
    const code = await authorizationCode(fixture, request)
    const answer = await exchangeCode(fixture, { ...request, [name]: value }, code)
    expect(answer.statusCode, name).toBe(400)
    expect(answer.json(), name).toMatchObject({ error: 'invalid_grant' })
  }
})

it('demands PKCE with S256: without it, or with a challenge in the clear, no code is given', async () => {
  const browser = new WebBrowser(fixture.app)
  for (const extra of [
    { code_challenge: undefined, code_challenge_method: undefined },
    { code_challenge_method: 'plain' },
  ]) {
    const page = await browser.open(authorizationRequest('postern', undefined, extra).path)
    expect(page.url.searchParams.get('error')).toBe('invalid_request')
    expect(page.url.searchParams.get('code')).toBeNull()
  }
  const noMethod = await browser.open(
    authorizationRequest('postern', undefined, { code_challenge_method: undefined }).path,
  )
  expect(noMethod.url.searchParams.get('error')).toBe('invalid_request')
})

it.each([
  'http://localhost.evil.test:8020',
  'http://evil.test:8020/callback',
  'http://localhost:8020@evil.test/',
  'http://evil.test#@localhost:8020',
  'http://user@localhost:8020',
  'http://localhost:8020/elsewhere',
  'http://localhost:8020/callback/../elsewhere',
  'http://localhost:8020/callback?next=http://evil.test',
  'http://localhost:8020/#fragment',
  'https://localhost:8020/callback',
  'http://127.0.0.2:8020/callback',
  'http://0.0.0.0:8020/callback',
  'http://[::ffff:127.0.0.1]:8020/callback',
  'http://localhost\\@evil.test:8020',
  'javascript:alert(1)//localhost',
  'urn:ietf:wg:oauth:2.0:oob',
])('sends nobody to %s', async (redirectUri) => {
  const page = await new WebBrowser(fixture.app).open(authorizationRequest('postern', redirectUri).path)
  expect(page.status).toBe(400)
  expect(page.headers.location).toBeUndefined()
  expect(page.heading).toBe('You cannot sign in this way')
})

it('comes back to every loopback address that real clients listen on, at any port', async () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    for (const path of ['', '/', '/callback']) {
      const page = await new WebBrowser(fixture.app).open(
        authorizationRequest('databricks-cli', `http://${host}:${8020 + path.length}${path}`).path,
      )
      expect(page.heading, host + path).toBe('Sign in to main')
    }
  }
})

it('takes no form of sign-in or consent without the token of the page', async () => {
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(authorizationRequest('databricks-cli').path)
  const password = fixture.adminPassword.reveal()
  const fields = { email: fixture.adminEmail, password, action: 'sign-in' }
  const other = await new WebBrowser(fixture.app).open(authorizationRequest('databricks-cli').path)
  const foreignToken = /name="form_token" value="([^"]+)"/.exec(other.body)?.[1] ?? ''
  for (const form_token of ['', 'guessed', foreignToken]) {
    expect((await browser.submit(page, { ...fields, form_token })).status).toBe(403)
  }
  const consent = await enterPassword(fixture, browser, page)
  expect(consent.heading).toMatch(/^Allow/)
  expect((await browser.submit(consent, { action: 'allow', form_token: foreignToken })).status).toBe(403)
})

it('takes no form that a page of another site sends', async () => {
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(authorizationRequest('postern').path)
  for (const origin of ['http://evil.test', 'null']) {
    const answer = await fixture.app.inject({
      method: 'POST',
      url: page.url.pathname,
      headers: { host: '127.0.0.1', origin, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'action=sign-in',
    })
    expect(answer.statusCode, origin).toBe(403)
  }
})

it('belongs to the browser that began it: an address that is sent on opens nothing elsewhere', async () => {
  const attacker = new WebBrowser(fixture.app)
  const page = await attacker.open(authorizationRequest('postern').path)
  const victim = new WebBrowser(fixture.app)
  const opened = await victim.open(page.url)
  expect(opened.heading).toBe('This did not work')
  expect(opened.body).toContain('was begun in another browser')
  const sent = await victim.submit({ ...page }, { email: fixture.adminEmail, password: 'x', action: 'sign-in' })
  expect(sent.heading).toBe('This did not work')
})

it('takes no form that is none, and none that is too large', async () => {
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(authorizationRequest('postern').path)
  const send = (contentType: string, payload: string) =>
    fixture.app.inject({
      method: 'POST',
      url: page.url.pathname,
      headers: { host: '127.0.0.1', cookie: browser.cookiesFor(page.url.pathname), 'content-type': contentType },
      payload,
    })
  expect((await send('application/json', '{}')).statusCode).toBe(400)
  const large = `form_token=${'x'.repeat(17_000)}`
  expect((await send('application/x-www-form-urlencoded', large)).statusCode).toBe(413)
})

it('gives the session a new id at sign-in: one that was planted before is worth nothing', async () => {
  const attacker = new WebBrowser(fixture.app)
  await attacker.open('/oidc/device')
  const isSession = ([name]: [string, unknown]) => name.includes('_session')
  const planted = new Map([...attacker.cookies].filter(isSession))
  expect(planted.size).toBe(2)
  const victim = new WebBrowser(fixture.app)
  for (const [name, cookie] of planted) victim.cookies.set(name, cookie)
  await authorizationCode(fixture, authorizationRequest('postern'), victim)
  const fresh = new Map([...victim.cookies].filter(isSession))
  expect([...fresh.values()]).not.toEqual([...planted.values()])
  expect((await attacker.open(authorizationRequest('postern').path)).heading).toBe('Sign in to main')
})

it('signs out whoever was signed in when somebody else signs in, and gives the code of the one who did last', async () => {
  const id = newNumericId<PrincipalId>()
  const { db } = fixture.deps.store
  const email = 'second@main.test'
  const password = 'a password of the second'
  await insertUser(db, { id, email, displayName: 'Second', passwordHash: await hashPassword(new Secret(password)) })
  await assignWorkspaceRole(db, { workspaceId: fixture.workspaceId, principalId: id, role: 'member' })
  const browser = new WebBrowser(fixture.app)
  await authorizationCode(fixture, authorizationRequest('postern'), browser)
  const request = authorizationRequest('postern')
  const switched = await browser.submit(await browser.open(request.path), { action: 'switch' })
  expect(switched.heading).toBe('Sign in to main')
  const back = await browser.submit(switched, { email, password, action: 'sign-in' })
  const answer = await exchangeCode(fixture, request, back.url.searchParams.get('code') ?? '')
  expect(decodeJwt(answer.json<UserTokens>().access_token).sub).toBe(id)
  expect((await browser.open(authorizationRequest('postern').path)).body).toContain(`Continue as ${email}`)
})

it('holds its pages out of frames, runs no script, and sends forms to this site and the client only', async () => {
  const page = await new WebBrowser(fixture.app).open(authorizationRequest('postern').path)
  const csp = String(page.headers['content-security-policy'])
  expect(csp).toContain(`default-src 'none'`)
  expect(csp).toContain(`frame-ancestors 'none'`)
  expect(csp).toContain(`form-action 'self' http://localhost:8020;`)
  expect(csp).not.toContain('unsafe-inline')
  expect(page.headers['x-frame-options']).toBe('DENY')
  expect(page.headers['referrer-policy']).toBe('same-origin')
  expect(page.headers['cache-control']).toBe('no-store')
  expect(page.body).not.toContain('<script')
  const style = /<style>([^]*)<\/style>/.exec(page.body)?.[1] ?? ''
  expect(csp).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`)
})

it('escapes whatever it shows of what was sent', async () => {
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(authorizationRequest('postern').path)
  const again = await browser.submit(page, { email: `"><script>alert(1)</script>`, password: 'x', action: 'sign-in' })
  expect(again.body).not.toContain('<script')
  const refused = await browser.open(authorizationRequest(`"><script>alert(1)</script>`).path)
  expect(refused.body).not.toContain('<script')
  const device = await browser.open(`/oidc/device?user_code=${encodeURIComponent('"><script>')}`)
  expect(device.body).not.toContain('<script')
})

it('says the same to an unknown user and to a wrong password, and counts both with the password grant', async () => {
  const browser = new WebBrowser(fixture.app, 'http://127.0.0.1', '192.0.2.20')
  const page = await browser.open(authorizationRequest('postern').path)
  const text = (body: string) => body.replaceAll(/value="[^"]*"/g, '')
  const wrong = await browser.submit(page, { email: fixture.adminEmail, password: 'wrong', action: 'sign-in' })
  const unknown = await browser.submit(page, { email: 'nobody@main.test', password: 'wrong', action: 'sign-in' })
  expect([wrong.status, text(wrong.body)]).toEqual([unknown.status, text(unknown.body)])
  expect(wrong.body).toContain('E-mail or password is wrong.')
  for (let attempt = 0; attempt < 8; attempt++) {
    await browser.submit(page, { email: `nobody${attempt}@main.test`, password: 'wrong', action: 'sign-in' })
  }
  const limited = await browser.submit(page, { email: fixture.adminEmail, password: 'wrong', action: 'sign-in' })
  expect(limited.status).toBe(429)
  const elsewhere = await signIn(fixture)
  expect(await statusOfMe(elsewhere.access_token)).toBe(200)
})

it('gives a deactivated person no refresh and no code from a browser that is signed in, from that moment on', async () => {
  const browser = new WebBrowser(fixture.app)
  await authorizationCode(fixture, authorizationRequest('postern'), browser)
  const { refresh_token: refreshToken } = await signIn(fixture)
  const { db } = fixture.deps.store
  await setPrincipalActive(db, fixture.admin.principalId, false)
  expect((await refresh(fixture, 'postern', refreshToken)).json()).toEqual(invalidRefresh)
  const page = await browser.open(authorizationRequest('postern').path)
  expect(page.heading).toBe('Sign in to main')
  expect((await enterPassword(fixture, browser, page)).body).toContain('E-mail or password is wrong.')
  await setPrincipalActive(db, fixture.admin.principalId, true)
})

it('believes no access token but its own: other algorithm, other key under our kid, kid injection, other type, other workspace', async () => {
  const { access_token: good } = await signIn(fixture)
  const header = decodeProtectedHeader(good)
  const claims = decodeJwt(good)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwks = (await fixture.app.inject({ url: '/oidc/v1/keys' })).json()
  const sign = (changed: object, key: KeyObject | Uint8Array = privateKey) =>
    new SignJWT(claims).setProtectedHeader({ ...header, ...changed } as { alg: string }).sign(key)
  const [, payload] = good.split('.')
  const none = `${Buffer.from(JSON.stringify({ ...header, alg: 'none' })).toString('base64url')}.${payload}.`
  const forged = [
    none,
    await sign({}),
    await sign({ alg: 'HS256' }, Buffer.from(JSON.stringify(jwks.keys[0]))),
    await sign({ kid: `' or '1'='1` }),
    await sign({ kid: '../../../../dev/null' }),
    await sign({ jwk: await exportJWK(publicKey) }),
    await sign({ jku: 'http://evil.test/keys' }),
    await sign({ typ: 'JWT' }),
  ]
  expect(await statusOfMe(good)).toBe(200)
  for (const token of forged) expect(await statusOfMe(token), token).toBe(401)
})

it('lets nobody revoke what is not his, and ends a sign-in that is revoked', async () => {
  const { refresh_token: refreshToken } = await signIn(fixture)
  const revoke = (clientId: string) =>
    fixture.app.inject({
      method: 'POST',
      url: '/oidc/v1/revoke',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ client_id: clientId, token: refreshToken }).toString(),
    })
  expect((await revoke('databricks-cli')).statusCode).toBe(200)
  const { refresh_token: next } = (await refresh(fixture, 'postern', refreshToken)).json<UserTokens>()
  expect((await refresh(fixture, 'postern', next)).statusCode).toBe(200)
  const other = await signIn(fixture)
  const answer = await fixture.app.inject({
    method: 'POST',
    url: '/oidc/v1/revoke',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ client_id: 'postern', token: other.refresh_token }).toString(),
  })
  expect(answer.statusCode).toBe(200)
  expect((await refresh(fixture, 'postern', other.refresh_token)).json()).toEqual(invalidRefresh)
})

it('introspects an access token for a service principal, and for the client that it was issued to', async () => {
  const { access_token: token } = await signIn(fixture, 'databricks-cli')
  const { clientId, secret } = await addServicePrincipal(fixture)
  const ask = async (form: Record<string, string>, authorization?: string) =>
    (
      await fixture.app.inject({
        method: 'POST',
        url: '/oidc/v1/introspect',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...(authorization && { authorization }) },
        payload: new URLSearchParams({ token, ...form }).toString(),
      })
    ).json()
  const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
  const known = { active: true, username: fixture.adminEmail, client_id: 'databricks-cli', token_type: 'Bearer' }
  expect(await ask({}, basic)).toMatchObject({ ...known, aud: fixture.workspaceId })
  expect(await ask({ client_id: 'databricks-cli' })).toMatchObject(known)
  expect(await ask({ client_id: 'postern' })).toEqual({ active: false })
  expect(await ask({ token: `${token.slice(0, -8)}AAAAAAAA` }, basic)).toEqual({ active: false })
  expect(await ask({})).toMatchObject({ error: 'invalid_request' })
  await setPrincipalActive(fixture.deps.store.db, fixture.admin.principalId, false)
  expect(await ask({}, basic)).toEqual({ active: false })
  await setPrincipalActive(fixture.deps.store.db, fixture.admin.principalId, true)
})

it('signs a browser out only when it is asked on its own page', async () => {
  const browser = new WebBrowser(fixture.app)
  await authorizationCode(fixture, authorizationRequest('postern'), browser)
  const page = await browser.open('/oidc/logout')
  expect(page.heading).toBe('Sign out of main?')
  expect((await browser.submit(page, { form_token: 'guessed' })).status).toBe(403)
  expect((await browser.submit(page, {})).heading).toBe('Signed out')
  expect((await browser.open(authorizationRequest('postern').path)).heading).toBe('Sign in to main')
})

it('goes on after an identity provider for the browser alone that saw the sign-in page', async () => {
  const { db } = fixture.deps.store
  const names = { id: randomUUID(), name: 'Example', issuer: 'https://id.test', client_id: 'postern' }
  const claims = { scopes: ['openid'], email_claim: 'email', name_claim: 'name', email_domains: [] }
  const provider = { ...names, ...claims, workspace_id: fixture.workspaceId, creates_users: false, enforced: true }
  await db.insertInto('sso_provider').values(provider).execute()
  const browser = new WebBrowser(fixture.app)
  const page = await browser.open(authorizationRequest('postern').path)
  const link = new RegExp(`href="/login/sso/${provider.id}\\?interaction=([\\w-]+)"`).exec(page.body)
  const signInId = link?.[1] ?? ''
  expect(page.body).not.toContain('type="password"')
  expect((await enterPassword(fixture, browser, page)).body).toContain('signs in by its identity provider')
  await db.deleteFrom('sso_provider').execute()

  const servers = new AuthorizationServers(await loadProvider(), {
    ...fixture.deps,
    throttle: new SignInThrottle(async () => {}),
    isPasswordGrantOffered: true,
    onServerError: () => {},
  })
  const server = servers.for({ id: fixture.workspaceId, name: 'main' }, 'http://127.0.0.1/oidc')
  const comeBack = (from: WebBrowser) => {
    const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/login/sso/callback' })
    request.headers = { host: '127.0.0.1', cookie: from.cookiesFor('/login/sso/callback') }
    const signedIn = { method: 'sso', interaction: signInId } as const
    return server.finishSignIn(request, new ServerResponse(request), fixture.admin.principalId, signedIn)
  }
  await expect(comeBack(new WebBrowser(fixture.app))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const another = new WebBrowser(fixture.app)
  await another.open(authorizationRequest('postern').path)
  await expect(comeBack(another)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const back = await browser.open(await comeBack(browser))
  expect(back.url.searchParams.get('code')).not.toBeNull()
  await expect(comeBack(browser)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
