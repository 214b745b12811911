import { createPublicKey } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  requestToken,
  startHttpFixture,
} from '../../test/support/http-app.ts'
import type { Clock } from '../base/clock.ts'
import { updateServicePrincipal } from '../identity/change-service-principal.ts'
import { createServicePrincipalSecret, deleteServicePrincipalSecret } from '../identity/service-principal-secrets.ts'
import { rotateSigningKeys } from '../keys/rotate-signing-keys.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let offsetMs = 0
const clock: Clock = { now: () => new Date(Date.now() + offsetMs) }
const clientCredentials = { grant_type: 'client_credentials', scope: 'all-apis' }
const invalidClient = { error: 'invalid_client', error_description: 'Client authentication failed' }

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { clock })
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

it('is found by the three documents that clients read, all naming the same issuer', async () => {
  const get = async (url: string) => (await fixture.app.inject({ url })).json()
  const host = await get('/.well-known/databricks-config')
  const oauth = await get('/oidc/.well-known/oauth-authorization-server')
  expect(host).toMatchObject({ oidc_endpoint: oauth.issuer, workspace_id: fixture.workspaceId })
  expect(oauth).toMatchObject({
    issuer: 'http://127.0.0.1/oidc',
    token_endpoint: 'http://127.0.0.1/oidc/v1/token',
    jwks_uri: 'http://127.0.0.1/oidc/v1/keys',
    authorization_endpoint: 'http://127.0.0.1/oidc/v1/authorize',
    device_authorization_endpoint: 'http://127.0.0.1/oidc/v1/device/authorize',
    revocation_endpoint: 'http://127.0.0.1/oidc/v1/revoke',
    introspection_endpoint: 'http://127.0.0.1/oidc/v1/introspect',
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['all-apis', 'offline_access', 'openid'],
  })
  expect(await get('/oidc/.well-known/openid-configuration')).toEqual(oauth)
})

it('gives a service principal a one-hour JWT of the workspace, which its published keys verify', async () => {
  const servicePrincipal = await addServicePrincipal(fixture)
  const answer = await requestToken(fixture.app, { form: clientCredentials, basic: servicePrincipal })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['cache-control']).toBe('no-store')
  const { access_token, ...rest } = answer.json()
  expect(rest).toEqual({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis' })
  const jwks = (await fixture.app.inject({ url: '/oidc/v1/keys' })).json()
  const { payload, protectedHeader } = await jwtVerify(access_token, createLocalJWKSet(jwks), { typ: 'at+jwt' })
  expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: jwks.keys[0].kid })
  expect(payload).toMatchObject({
    iss: 'http://127.0.0.1/oidc',
    aud: fixture.workspaceId,
    sub: servicePrincipal.id,
    client_id: servicePrincipal.clientId,
    scope: 'all-apis',
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600)
})

it('publishes nothing private', async () => {
  const { keys } = (await fixture.app.inject({ url: '/oidc/v1/keys' })).json()
  for (const key of keys) {
    expect(key).not.toHaveProperty('d')
    expect(createPublicKey({ key, format: 'jwk' }).asymmetricKeyType).toBe('ec')
  }
})

it('takes the secret in the form as well, and the scope as understood when none is named', async () => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: secret }
  const answer = await requestToken(fixture.app, { form })
  expect(answer.json()).toMatchObject({ scope: 'all-apis' })
})

it('decodes what clients escape in the Basic header', async () => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  const escaped = [...`${clientId}:${secret}`].map((character) =>
    character === ':' ? ':' : `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  const headers = { authorization: `Basic ${Buffer.from(escaped.join('')).toString('base64')}` }
  expect((await requestToken(fixture.app, { form: clientCredentials, headers })).statusCode).toBe(200)
})

it('refuses scopes that do not include the one it has, rather than giving more than was asked for', async () => {
  const basic = await addServicePrincipal(fixture)
  const ask = (scope: string) => requestToken(fixture.app, { form: { ...clientCredentials, scope }, basic })
  expect((await ask('sql')).json()).toMatchObject({ error: 'invalid_scope' })
  expect((await ask('all-apis offline_access')).json()).toMatchObject({ scope: 'all-apis' })
})

it('answers a wrong secret, an unknown client and a deactivated one alike: 401, JSON, the sentence that clients know', async () => {
  const good = await addServicePrincipal(fixture)
  const inactive = await addServicePrincipal(fixture)
  await updateServicePrincipal(fixture.deps, fixture.admin, inactive.clientId, { active: false })
  const clients = [
    { ...good, secret: `${good.secret}x` },
    { ...good, clientId: '00000000-0000-4000-8000-000000000000' },
    { ...good, clientId: 'no-uuid' },
    { clientId: 'postern', secret: 'x' },
    inactive,
  ]
  for (const basic of clients) {
    const answer = await requestToken(fixture.app, { form: clientCredentials, basic })
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    expect(answer.json()).toEqual(invalidClient)
  }
  const html = { form: clientCredentials, basic: { ...good, secret: 'x' }, headers: { accept: 'text/html' } }
  expect((await requestToken(fixture.app, html)).json()).toEqual(invalidClient)
})

it('refuses an expired and a deleted secret', async () => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  const short = await createServicePrincipalSecret(fixture.deps, fixture.admin, clientId, { lifetimeSeconds: 60 })
  const ask = (value: string) =>
    requestToken(fixture.app, { form: clientCredentials, basic: { clientId, secret: value } })
  expect((await ask(short.secret.reveal())).statusCode).toBe(200)
  offsetMs += 60_000
  expect((await ask(short.secret.reveal())).statusCode).toBe(401)
  expect((await ask(secret)).statusCode).toBe(200)
  const other = await createServicePrincipalSecret(fixture.deps, fixture.admin, clientId, {})
  await deleteServicePrincipalSecret(fixture.deps, fixture.admin, clientId, other.id)
  expect((await ask(other.secret.reveal())).statusCode).toBe(401)
})

it('offers a client no grant but its own', async () => {
  const basic = await addServicePrincipal(fixture)
  const ask = async (form: Record<string, string>) => (await requestToken(fixture.app, { form, basic })).json().error
  expect(await ask({ grant_type: 'implicit' })).toBe('unsupported_grant_type')
  expect(await ask({ grant_type: 'authorization_code', code: 'x' })).toBe('invalid_request')
  expect(await ask({ grant_type: 'refresh_token', refresh_token: 'x' })).toBe('invalid_request')
  expect(await ask({ grant_type: 'password', username: 'a', password: 'b' })).toBe('invalid_request')
  for (const url of ['/oidc/me', '/oidc/session/end', '/oidc/request', '/oidc/reg']) {
    expect((await fixture.app.inject({ url })).statusCode, url).toBe(404)
  }
})

it('stops whoever sends wrong secrets, and nobody else: the right secret from another address still works', async () => {
  const basic = await addServicePrincipal(fixture)
  const wrong = { form: clientCredentials, basic: { ...basic, secret: 'wrong' }, remoteAddress: '192.0.2.1' }
  const statuses: number[] = []
  for (let attempt = 0; attempt < 32; attempt++) statuses.push((await requestToken(fixture.app, wrong)).statusCode)
  expect(statuses).toEqual([...Array.from({ length: 30 }, () => 401), 429, 429])
  const limited = await requestToken(fixture.app, { ...wrong, basic })
  expect(limited.statusCode).toBe(429)
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0)
  expect(limited.json()).toMatchObject({ error: 'temporarily_unavailable' })
  const elsewhere = { form: clientCredentials, basic, remoteAddress: '192.0.2.2' }
  expect((await requestToken(fixture.app, elsewhere)).statusCode).toBe(200)
})

it('stops an address that tries client after client', async () => {
  const statuses: number[] = []
  for (let attempt = 0; attempt < 121; attempt++) {
    const clientId = `00000000-0000-4000-8000-${String(attempt).padStart(12, '0')}`
    const request = { form: clientCredentials, basic: { clientId, secret: 'x' }, remoteAddress: '192.0.2.3' }
    statuses.push((await requestToken(fixture.app, request)).statusCode)
  }
  expect(statuses.slice(0, 120).every((status) => status === 401)).toBe(true)
  expect(statuses.at(-1)).toBe(429)
})

it('signs a person in with the password, for the command line only, and says nothing of why it does not', async () => {
  const { adminEmail: username, adminPassword } = fixture
  const ask = (form: Record<string, string>) =>
    requestToken(fixture.app, { form: { grant_type: 'password', client_id: 'postern', ...form } })
  const answer = await ask({ username, password: adminPassword.reveal() })
  expect(answer.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'all-apis' })
  const me = await fixture.app.inject({ url: '/v1/me', headers: bearer(answer.json().access_token) })
  expect(me.json()).toMatchObject({ name: username, workspaceRole: 'admin', kind: 'user' })

  const refused = { error: 'invalid_grant', error_description: 'E-mail or password is wrong' }
  expect((await ask({ username, password: 'wrong' })).json()).toEqual(refused)
  expect((await ask({ username: 'nobody@main.test', password: 'wrong' })).json()).toEqual(refused)
  expect((await ask({ username })).json()).toMatchObject({ error: 'invalid_request' })
})

it('audits who got an access token and who did not, and never what was presented', async () => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  await requestToken(fixture.app, { form: clientCredentials, basic: { clientId, secret } })
  await requestToken(fixture.app, { form: clientCredentials, basic: { clientId, secret: 'guessed-secret' } })
  const { rows } = await fixture.deps.store.pool.query(
    `select outcome, action, peer from audit_event where actor_name = $1 order by occurred_at`,
    [clientId],
  )
  expect(rows).toEqual([
    { outcome: 'allowed', action: 'accessToken.issue', peer: '127.0.0.1' },
    { outcome: 'denied', action: 'accessToken.issue', peer: '127.0.0.1' },
  ])
  const all = await fixture.deps.store.pool.query('select e::text from audit_event e')
  const text = JSON.stringify(all.rows)
  expect(text).not.toContain(secret)
  expect(text).not.toContain('guessed-secret')
  expect(text).not.toContain(fixture.adminPassword.reveal())
})

it('goes over to new signing keys when their time comes, and honours what the old ones signed', async () => {
  const servicePrincipal = await addServicePrincipal(fixture)
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const before = await accessTokenOf(fixture.app, servicePrincipal)
  await rotateSigningKeys(fixture.deps, fixture.admin)
  await fixture.deps.signingKeys.refresh()
  expect(kidOf(await accessTokenOf(fixture.app, servicePrincipal))).toBe(kidOf(before))
  expect((await fixture.app.inject({ url: '/oidc/v1/keys' })).json().keys).toHaveLength(2)
  offsetMs += 10 * 60_000
  const after = await accessTokenOf(fixture.app, servicePrincipal)
  expect(kidOf(after)).not.toBe(kidOf(before))
  for (const token of [before, after]) {
    expect((await fixture.app.inject({ url: '/v1/me', headers: bearer(token) })).statusCode).toBe(200)
  }
})

it('offers no password grant where it is switched off', async () => {
  const closed = await startHttpFixture(await postgres.freshStore(), { httpPasswordGrant: false })
  const form = {
    grant_type: 'password',
    client_id: 'postern',
    username: closed.adminEmail,
    password: closed.adminPassword.reveal(),
  }
  expect((await requestToken(closed.app, { form })).json()).toMatchObject({ error: 'unsupported_grant_type' })
  await closed.close()
})
