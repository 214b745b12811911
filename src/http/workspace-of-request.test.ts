import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'
import { bootstrapWorkspace } from '../identity/bootstrap-workspace.ts'

const trustedProxy = '10.0.0.1'
let postgres: EmbeddedPostgres
let fixture: HttpFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  const options = { publicUrl: 'https://postern.test', httpBehindTlsProxy: true, trustedProxies: [trustedProxy] }
  fixture = await startHttpFixture(await postgres.freshStore(), options, { hosts: ['alias.test'] })
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

const config = (headers: Record<string, string>, remoteAddress = '192.0.2.1') =>
  fixture.app.inject({ url: '/.well-known/databricks-config', headers, remoteAddress })

it('knows its own names exactly: loopback with the port, publicUrl, and the hosts of the workspace', async () => {
  for (const host of ['127.0.0.1:80', 'localhost:80', '[::1]:80', 'postern.test', 'POSTERN.TEST', 'alias.test']) {
    expect((await config({ host })).json(), host).toMatchObject({
      oidc_endpoint: 'https://postern.test/oidc',
      workspace_id: fixture.workspaceId,
    })
  }
})

it('serves nobody under any other name, so that a foreign page cannot reach it by resolving its own name to it', async () => {
  const hosts = [
    'evil.test',
    'evil.test:80',
    'localhost.evil.test:80',
    'postern.test:81',
    'postern.test.',
    'postern.test@evil.test',
  ]
  for (const host of hosts) {
    const answer = await config({ host })
    expect(answer.statusCode, host).toBe(404)
    expect(answer.json()).toMatchObject({ code: 'NOT_FOUND' })
    expect(answer.body).not.toContain('evil')
    for (const url of ['/', '/oidc/v1/keys', '/v1/me']) {
      expect((await fixture.app.inject({ url, headers: { host } })).statusCode, `${host} ${url}`).toBe(404)
    }
  }
})

it('believes a forwarded host and address from a trusted proxy alone', async () => {
  const forwarded = { host: 'evil.test', 'x-forwarded-host': 'postern.test', 'x-forwarded-proto': 'https' }
  expect((await config(forwarded)).statusCode).toBe(404)
  expect((await config(forwarded, trustedProxy)).statusCode).toBe(200)
  const inward = { host: 'postern.test', 'x-forwarded-host': 'evil.test' }
  expect((await config(inward)).statusCode).toBe(200)
  expect((await config(inward, trustedProxy)).statusCode).toBe(404)
})

it('records the address that a trusted proxy forwarded, and never what a client claims', async () => {
  const servicePrincipal = await addServicePrincipal(fixture, 'admin')
  const headers = { ...bearer(await accessTokenOf(fixture.app, servicePrincipal)), 'x-forwarded-for': '203.0.113.9' }
  const peerOf = async (remoteAddress: string) => {
    const payload = { displayName: remoteAddress }
    const answer = await fixture.app.inject({
      method: 'POST',
      url: '/v1/servicePrincipals',
      headers,
      payload,
      remoteAddress,
    })
    const { rows } = await fixture.deps.store.pool.query('select peer from audit_event where target_id = $1', [
      answer.json().id,
    ])
    return rows[0].peer
  }
  expect(await peerOf('192.0.2.1')).toBe('192.0.2.1')
  expect(await peerOf(trustedProxy)).toBe('203.0.113.9')
})

it('names one origin in tokens and discovery, whatever name a client came by or claims', async () => {
  const headers = { host: 'localhost:80', 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'gopher' }
  const discovery = await fixture.app.inject({ url: '/oidc/.well-known/oauth-authorization-server', headers })
  expect(discovery.json()).toMatchObject({
    issuer: 'https://postern.test/oidc',
    token_endpoint: 'https://postern.test/oidc/v1/token',
  })
})

it('keeps two workspaces of one deployment apart: own issuer, own keys, and tokens that open only their own', async () => {
  const { store, masterKey, clock, signingKeys } = fixture.deps
  const second = {
    name: 'second',
    hosts: ['second.test'],
    gatewayDomain: 'second.localhost',
    adminEmail: 'a@second.test',
  }
  const { workspaceId, adminPassword } = await bootstrapWorkspace({ store, masterKey, clock }, second)
  await signingKeys.refresh()
  const separate = await startSecondNode()
  const form = {
    grant_type: 'password',
    client_id: 'postern',
    username: second.adminEmail,
    password: adminPassword?.reveal() ?? '',
  }
  const answer = await separate.inject({
    method: 'POST',
    url: '/oidc/v1/token',
    headers: { host: 'second.test', 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(form).toString(),
  })
  const token = answer.json().access_token
  const me = (host: string) => separate.inject({ url: '/v1/me', headers: { host, ...bearer(token) } })
  expect((await me('second.test')).json()).toMatchObject({ workspaceId, workspaceRole: 'admin' })
  expect((await me('postern.test')).statusCode).toBe(401)
  const keysOf = async (host: string) =>
    (await separate.inject({ url: '/oidc/v1/keys', headers: { host } })).json().keys[0].kid
  expect(await keysOf('second.test')).not.toBe(await keysOf('postern.test'))
  await separate.close()
})

// A node that starts later sees every workspace at once; a running one within ten seconds.
async function startSecondNode() {
  const { createHttpApp } = await import('./app.ts')
  const { testHttpOptions } = await import('../../test/support/http-app.ts')
  return createHttpApp(fixture.deps, {
    ...testHttpOptions,
    publicUrl: 'https://postern.test',
    httpBehindTlsProxy: true,
  })
}
