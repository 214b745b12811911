import { createHmac, createPublicKey } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { FakeIssuer } from '../../test/support/fake-issuer.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  requestToken,
  startHttpFixture,
  type TestServicePrincipal,
} from '../../test/support/http-app.ts'
import type { Clock } from '../base/clock.ts'
import { CreateFederationPolicyInput } from '../contract/federation-policies.ts'
import { updateServicePrincipal } from '../identity/change-service-principal.ts'
import { createFederationPolicy, deleteFederationPolicy } from '../identity/federation/federation-policies.ts'

const subject = 'repo:acme/shop:ref:refs/heads/main'
const audience = 'https://postern.test'
let postgres: EmbeddedPostgres
let issuer: FakeIssuer
let fixture: HttpFixture
let job: TestServicePrincipal
let offsetMs = 0
const clock: Clock = { now: () => new Date(Date.now() + offsetMs) }

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  issuer = await FakeIssuer.start()
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { clock })
})
afterAll(async () => {
  await fixture.close()
  await issuer.stop()
  await postgres.stop()
})
beforeEach(async () => {
  offsetMs = 0
  issuer.answers.clear()
  job = await addServicePrincipal(fixture)
  await allow({ name: 'main', issuer: issuer.url, subject, audiences: [audience] })
})

function allow(input: Parameters<typeof CreateFederationPolicyInput.parse>[0]) {
  return createFederationPolicy(fixture.deps, fixture.admin, job.clientId, CreateFederationPolicyInput.parse(input))
}

function exchange(subjectToken: string, form: Record<string, string> = {}) {
  return requestToken(fixture.app, {
    form: {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: job.clientId,
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      scope: 'all-apis',
      ...form,
    },
  })
}

const good = (claims: JWTPayload = {}) => issuer.sign({ sub: subject, aud: audience, ...claims })
const neutral = { error: 'invalid_request', error_description: 'The subject token is not accepted' }

it('gives a job without a secret an access token of its service principal', async () => {
  const answer = await exchange(await good())
  expect(answer.json()).toMatchObject({
    token_type: 'Bearer',
    expires_in: 3600,
    scope: 'all-apis',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  })
  expect(answer.headers['cache-control']).toBe('no-store')
  const me = await fixture.app.inject({ url: '/v1/me', headers: bearer(answer.json().access_token) })
  expect(me.json()).toMatchObject({ id: job.id, name: job.clientId })
})

it('asks for the token endpoint as the audience where a policy names none', async () => {
  await allow({ name: 'plain', issuer: issuer.url, subject: 'build-7' })
  const tokenFor = (aud: string) => issuer.sign({ sub: 'build-7', aud })
  expect((await exchange(await tokenFor('http://127.0.0.1/oidc/v1/token'))).statusCode).toBe(200)
  expect((await exchange(await tokenFor(audience))).statusCode).toBe(400)
})

it('takes another claim for the subject where the policy says so, and keys from where it says', async () => {
  const jwksUri = `${issuer.url}/keys`
  await allow({ name: 'k8s', issuer: 'https://cluster.test', subject: 'shop', subjectClaim: 'namespace', jwksUri })
  const claims = { iss: 'https://cluster.test', sub: 'x', aud: 'http://127.0.0.1/oidc/v1/token', namespace: 'shop' }
  expect((await exchange(await issuer.sign(claims))).statusCode).toBe(200)
  expect((await exchange(await issuer.sign({ ...claims, namespace: ['shop'] }))).statusCode).toBe(400)
})

it.each<[string, JWTPayload, string]>([
  [
    'of another subject',
    { sub: `${subject}x` },
    'The subject token is of another subject than the federation policy names',
  ],
  [
    'of a subject in other letters',
    { sub: subject.toUpperCase() },
    'The subject token is of another subject than the federation policy names',
  ],
  ['without a subject', { sub: undefined }, 'The subject token is of another subject than the federation policy names'],
  [
    'for another audience',
    { aud: 'https://elsewhere.test' },
    'The subject token is for another audience than the federation policy names',
  ],
  ['that has expired', { exp: Math.floor(Date.now() / 1000) - 1 }, 'The subject token has expired'],
  ['that is not valid yet', { nbf: Math.floor(Date.now() / 1000) + 300 }, 'The subject token is not valid yet'],
  ['issued in the future', { iat: Math.floor(Date.now() / 1000) + 300 }, 'The subject token is not valid yet'],
  ['that never expires', { exp: undefined }, 'The subject token is not accepted'],
  ['without an audience', { aud: undefined }, 'The subject token is not accepted'],
])('refuses a token %s', async (_what, claims, description) => {
  const answer = await exchange(await good(claims))
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toEqual({ error: 'invalid_request', error_description: description })
})

it('fetches nothing for an issuer that no policy of this service principal names', async () => {
  const other = await FakeIssuer.start()
  expect((await exchange(await other.sign({ sub: subject, aud: audience }))).json()).toEqual(neutral)
  expect(other.requests).toEqual([])
  const stranger = await addServicePrincipal(fixture)
  expect((await exchange(await good(), { client_id: stranger.clientId })).json()).toEqual(neutral)
  await other.stop()
})

it('refuses what is signed with the public key as a shared secret, with nothing, or with a key the token brings', async () => {
  const [key] = issuer.keys
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = part({ iss: issuer.url, sub: subject, aud: audience, iat: now, exp: now + 300 })
  const pem = createPublicKey({ key: key!.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const shared = `${part({ alg: 'HS256', kid: key!.kid })}.${claims}`
  const confused = `${shared}.${createHmac('sha256', pem).update(shared).digest('base64url')}`
  const unsigned = `${part({ alg: 'none' })}.${claims}.`
  const thief = await FakeIssuer.start()
  const brought = await thief.sign(
    { iss: issuer.url, sub: subject, aud: audience },
    { jwk: thief.keys[0]!.jwk, jku: `${thief.url}/keys`, kid: '../../first' },
  )
  const sameKid = await thief.sign({ iss: issuer.url, sub: subject, aud: audience })
  for (const token of [confused, unsigned, brought, sameKid, 'x', 'a.b.c', `${part({})}.${claims}.AA`]) {
    expect((await exchange(token)).json()).toEqual(neutral)
  }
  expect(thief.requests).toEqual([])
  await thief.stop()
})

it('ignores a shared secret that stands among the public keys', async () => {
  const secret = Buffer.alloc(32, 7)
  const keys = [{ kty: 'oct', k: secret.toString('base64url'), kid: 'shared', alg: 'HS256' }]
  issuer.answers.set('/shared', { status: 200, body: JSON.stringify({ keys }) })
  await allow({ name: 'shared', issuer: 'https://shared.test', subject, jwksUri: `${issuer.url}/shared` })
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://shared.test', sub: subject, aud: 'http://127.0.0.1/oidc/v1/token', exp: now + 300 }
  const input = `${part({ alg: 'HS256', kid: 'shared' })}.${part(claims)}`
  const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  expect((await exchange(token)).json()).toEqual(neutral)
})

it('learns a new key at its first token, and asks the issuer no more than once in half a minute for made-up ones', async () => {
  await exchange(await good())
  const made = await issuer.addKey('second', 'ES256')
  offsetMs += 31_000
  expect((await exchange(await issuer.sign({ sub: subject, aud: audience }, {}, made))).statusCode).toBe(200)
  const before = issuer.requests.length
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(
      (await exchange(await issuer.sign({ sub: subject, aud: audience }, { kid: `made-up-${attempt}` }))).json(),
    ).toEqual(neutral)
  }
  expect(issuer.requests.length).toBe(before)
})

it('says that the issuer is away, follows no redirect, and takes no discovery document of another issuer', async () => {
  const discovery = '/.well-known/openid-configuration'
  const failing = async (name: string, status: number, document: object, location?: string) => {
    const { issuer: url } = await allow({ name, issuer: `${issuer.url}/${name}`, subject })
    const body = JSON.stringify({ issuer: url, ...document })
    issuer.answers.set(`/${name}${discovery}`, { status, body, ...(location && { location }) })
    return exchange(await issuer.sign({ iss: url, sub: subject, aud: audience }))
  }
  const keys = `${issuer.url}/keys`
  expect((await failing('away', 503, {})).statusCode).toBe(502)
  expect((await failing('moved', 302, {}, `${issuer.url}${discovery}`)).statusCode).toBe(502)
  const other = await failing('other', 200, { issuer: 'https://other.test', jwks_uri: keys })
  expect(other.json().error_description).toContain('names another issuer')
  const inside = await failing('inside', 200, { jwks_uri: 'https://169.254.169.254/keys' })
  expect(inside.json().error_description).toContain('never dialled')
  const plain = await failing('plain', 200, { jwks_uri: 'http://issuer.test/keys' })
  expect([plain.statusCode, plain.json().error_description]).toEqual([502, expect.stringContaining('plain http')])
})

it('refuses issuers that are no https URL, also those of the metadata address', async () => {
  const name = 'bad'
  for (const bad of [
    'http://issuer.test',
    'ftp://issuer.test',
    'issuer',
    'https://a@issuer.test',
    'https://issuer.test/?x',
  ]) {
    await expect(allow({ name, issuer: bad, subject })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
  await allow({ name: 'metadata', issuer: 'https://169.254.169.254', subject })
  const answer = await exchange(await issuer.sign({ iss: 'https://169.254.169.254', sub: subject, aud: audience }))
  expect(answer.json().error_description).toContain('never dialled')
})

it('takes no secret beside the token, no other kind of token, and gives no other kind', async () => {
  const token = await good()
  const withSecret = await exchange(token, { client_secret: job.secret })
  expect(withSecret.json()).toMatchObject({ error: 'invalid_client' })
  const types = 'urn:ietf:params:oauth:token-type:'
  const forms: Record<string, string>[] = [
    { subject_token_type: `${types}access_token` },
    { subject_token_type: '' },
    { requested_token_type: `${types}refresh_token` },
    { actor_token: 'x', actor_token_type: `${types}jwt` },
    { subject_token: '' },
  ]
  for (const form of forms) {
    expect((await exchange(token, form)).json()).toMatchObject({ error: 'invalid_request' })
  }
  const noSecret = { grant_type: 'client_credentials', client_id: job.clientId }
  expect((await requestToken(fixture.app, { form: noSecret })).json()).toMatchObject({ error: 'invalid_client' })
  expect(await accessTokenOf(fixture.app, job)).toContain('.')
})

it('ends with the policy, and with the service principal', async () => {
  const token = await good()
  await updateServicePrincipal(fixture.deps, fixture.admin, job.clientId, { active: false })
  expect((await exchange(token)).json()).toMatchObject({ error: 'invalid_client' })
  await updateServicePrincipal(fixture.deps, fixture.admin, job.clientId, { active: true })
  expect((await exchange(token)).statusCode).toBe(200)
  await deleteFederationPolicy(fixture.deps, fixture.admin, job.clientId, 'main')
  expect((await exchange(token)).json()).toEqual(neutral)
})

it('records each exchange with its policy, and each refusal with its reason', async () => {
  await exchange(await good())
  await exchange(await good({ sub: 'other' }))
  const { rows } = await fixture.deps.store.pool.query(
    `select outcome, reason, detail from audit_event
     where actor_name = $1 and action = 'accessToken.issue' order by occurred_at`,
    [job.clientId],
  )
  expect(rows).toEqual([
    {
      outcome: 'allowed',
      reason: null,
      detail: { policy: 'main', issuer: issuer.url, subject, subjectTokenId: 'token-1' },
    },
    { outcome: 'denied', reason: 'SUBJECT_TOKEN_SUBJECT', detail: { policy: 'main', issuer: issuer.url, subject } },
  ])
})
