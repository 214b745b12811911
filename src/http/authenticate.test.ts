import { createHmac, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
  type TestServicePrincipal,
} from '../../test/support/http-app.ts'
import { credentialType, issuerOf } from '../access/credential-claims.ts'
import type { Clock } from '../base/clock.ts'
import { type JwtClaims, signJwt, SigningKeyPair } from '../crypto/jwt.ts'
import { updateServicePrincipal } from '../identity/change-service-principal.ts'
import { deleteServicePrincipal } from '../identity/delete-principal.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let other: HttpFixture
let servicePrincipal: TestServicePrincipal
let offsetMs = 0
const clock: Clock = { now: () => new Date(Date.now() + offsetMs) }

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { clock })
  other = await startHttpFixture(await postgres.freshStore(), {}, { name: 'other' })
  servicePrincipal = await addServicePrincipal(fixture)
})
afterAll(async () => {
  await fixture.close()
  await other.close()
  await postgres.stop()
})

const me = (authorization?: string) =>
  fixture.app.inject({ url: '/v1/me', headers: authorization === undefined ? {} : { authorization } })
const currentKey = () => fixture.deps.signingKeys.current(fixture.workspaceId, 'access_token')
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function claims(over: Partial<JwtClaims> = {}): JwtClaims {
  const iat = Math.floor(Date.now() / 1000)
  const { id: sub, clientId: client_id } = servicePrincipal
  const iss = 'http://127.0.0.1/oidc'
  return {
    iss,
    aud: fixture.workspaceId,
    sub,
    client_id,
    scope: 'all-apis',
    iat,
    exp: iat + 3600,
    jti: randomUUID(),
    ...over,
  }
}

async function expectRefused(token: string, code = 'UNAUTHENTICATED'): Promise<Record<string, unknown>> {
  const answer = await me(`Bearer ${token}`)
  expect(answer.statusCode).toBe(401)
  expect(answer.json()).toMatchObject({ code })
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
  return answer.json()
}

it('accepts the claims that the attacks below start from, signed by the current key', async () => {
  expect((await me(`Bearer ${signJwt(currentKey(), 'at+jwt', claims())}`)).statusCode).toBe(200)
})

it('asks for a token where none was sent, without calling it an error', async () => {
  const answer = await me()
  expect(answer.statusCode).toBe(401)
  expect(answer.headers['www-authenticate']).toBe('Bearer')
})

it('refuses what is not a Bearer token', async () => {
  for (const authorization of [
    'Bearer',
    'Bearer ',
    'Basic abc',
    'Bearer a b',
    'Token x',
    `Bearer ${'a'.repeat(9000)}`,
  ]) {
    expect((await me(authorization)).statusCode, authorization.slice(0, 20)).toBe(401)
  }
})

it('refuses alg none, HS256 keyed with the public key, and a header that brings its own key', async () => {
  const { kid, publicJwk } = currentKey()
  const payload = encode(claims())
  await expectRefused(`${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`)
  await expectRefused(`${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.AAAA`)
  const signed = `${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${payload}`
  for (const key of [JSON.stringify(publicJwk), publicJwk.x ?? '']) {
    await expectRefused(`${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`)
  }
  const own = SigningKeyPair.generate()
  await expectRefused(signJwt(own, 'at+jwt', claims()))
  await expectRefused(`${encode({ alg: 'ES256', typ: 'at+jwt', kid, jwk: own.publicJwk })}.${payload}.AAAA`)
})

it('refuses a token changed after it was signed', async () => {
  const [header, , signature] = signJwt(currentKey(), 'at+jwt', claims()).split('.')
  await expectRefused(`${header}.${encode(claims({ sub: fixture.admin.principalId }))}.${signature}`)
})

it('refuses an ID token or any other type, another issuer and another audience, though the key is right', async () => {
  await expectRefused(signJwt(currentKey(), 'JWT', claims()))
  await expectRefused(signJwt(currentKey(), 'at+jwt', claims({ iss: 'http://evil.test/oidc' })))
  await expectRefused(signJwt(currentKey(), 'at+jwt', claims({ aud: other.workspaceId })))
})

it("refuses another workspace's token", async () => {
  await expectRefused(await accessTokenOf(other.app, await addServicePrincipal(other)))
})

it('refuses a database credential with a sentence of its own, also signed by the key for access tokens', async () => {
  const database = claims({ iss: issuerOf(fixture.workspaceId), aud: ['urn:postern:instance:x'] })
  const key = fixture.deps.signingKeys.current(fixture.workspaceId, 'database_credential')
  const problem = await expectRefused(signJwt(key, credentialType, database))
  expect(problem.detail).toMatch(/database credential/)
  await expectRefused(signJwt(key, 'at+jwt', claims()))
  await expectRefused(signJwt(currentKey(), credentialType, database))
})

it('tells the bearer of an expired token that it has expired, from the second on in which it does', async () => {
  const token = await accessTokenOf(fixture.app, servicePrincipal)
  offsetMs = 3_598_000
  expect((await me(`Bearer ${token}`)).statusCode).toBe(200)
  offsetMs = 3_600_000
  await expectRefused(token, 'ACCESS_TOKEN_EXPIRED')
  offsetMs = 0
})

it('refuses a deactivated principal at its next request, and a deleted one', async () => {
  const leaver = await addServicePrincipal(fixture, 'dba')
  const token = await accessTokenOf(fixture.app, leaver)
  expect((await me(`Bearer ${token}`)).json()).toMatchObject({ workspaceRole: 'dba' })
  await updateServicePrincipal(fixture.deps, fixture.admin, leaver.clientId, { active: false })
  const answer = await me(`Bearer ${token}`)
  expect(answer.statusCode).toBe(403)
  expect(answer.json()).toMatchObject({ code: 'PRINCIPAL_INACTIVE' })
  await updateServicePrincipal(fixture.deps, fixture.admin, leaver.clientId, { active: true })
  expect((await me(`Bearer ${token}`)).statusCode).toBe(200)
  await deleteServicePrincipal(fixture.deps, fixture.admin, leaver.clientId)
  await expectRefused(token)
})

it('reads the workspace role at every request', async () => {
  const promoted = await addServicePrincipal(fixture)
  const headers = bearer(await accessTokenOf(fixture.app, promoted))
  const list = () => fixture.app.inject({ url: '/v1/servicePrincipals', headers })
  expect((await list()).statusCode).toBe(403)
  await fixture.deps.store.db
    .updateTable('workspace_assignment')
    .set({ role: 'admin' })
    .where('principal_id', '=', promoted.id)
    .execute()
  expect((await list()).statusCode).toBe(200)
})
