import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  addServicePrincipal,
  type HttpFixture,
  startHttpFixture,
  testHttpOptions,
} from '../../test/support/http-app.ts'
import { createHttpApp } from './app.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let port: number
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  await fixture.app.listen({ host: '127.0.0.1', port: 0 })
  port = (fixture.app.server.address() as AddressInfo).port
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

/** Sends bytes as they are and answers what came back until the other side closed. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

it('names the port that it listens on, though 0 was asked for', async () => {
  const config = await (await fetch(`http://127.0.0.1:${port}/.well-known/databricks-config`)).json()
  expect(config).toMatchObject({ oidc_endpoint: `http://127.0.0.1:${port}/oidc` })
  const discovery = await (await fetch(`http://localhost:${port}/oidc/.well-known/openid-configuration`)).json()
  expect(discovery).toMatchObject({ token_endpoint: `http://127.0.0.1:${port}/oidc/v1/token` })
})

it('exchanges a secret for a token and a token for an answer over a real socket', async () => {
  const { clientId, secret } = await addServicePrincipal(fixture)
  const answer = await fetch(`http://127.0.0.1:${port}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ scope: 'all-apis', grant_type: 'client_credentials' }),
  })
  const { access_token } = (await answer.json()) as { access_token: string }
  const me = await fetch(`http://127.0.0.1:${port}/v1/me`, { headers: { authorization: `Bearer ${access_token}` } })
  expect(await me.json()).toMatchObject({ name: clientId })
})

it('refuses oversized headers, bytes that are no HTTP, and a body of two lengths', async () => {
  const host = `Host: 127.0.0.1:${port}\r\n`
  expect(await exchange(`GET /healthz HTTP/1.1\r\n${host}X-Large: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  )
  expect(await exchange('\x00\x00\x00\x08\x04\xd2\x16\x2f nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  const smuggled = `POST /oidc/v1/token HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  expect(await exchange(smuggled)).toMatch(/^HTTP\/1.1 400 /)
})

it('does not stay open for a body that the token endpoint will not take', async () => {
  const form = new URLSearchParams({ grant_type: 'client_credentials', filler: 'a'.repeat(100_000) })
  const answer = await fetch(`http://127.0.0.1:${port}/oidc/v1/token`, { method: 'POST', body: form })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ error: 'invalid_request' })
})

it('is not made for an address that is not loopback without TLS, unless a proxy in front ends it', async () => {
  const build = (options: object) => createHttpApp(fixture.deps, { ...testHttpOptions, ...options })
  for (const httpHost of ['0.0.0.0', '::', '192.0.2.1', 'postern.test', '127.0.0.1.evil.test']) {
    await expect(build({ httpHost }), httpHost).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  }
  const behindProxy = await build({ httpHost: '0.0.0.0', httpBehindTlsProxy: true, publicUrl: 'https://postern.test' })
  const answer = await behindProxy.inject({ url: '/', headers: { host: 'postern.test' } })
  expect(answer.headers['strict-transport-security']).toMatch(/max-age/)
  await behindProxy.close()
})

it('is alive but not ready while the store is away, and says which', async () => {
  const lost = await startHttpFixture(await postgres.freshStore())
  expect((await lost.app.inject({ url: '/readyz' })).statusCode).toBe(200)
  await lost.deps.store.close()
  expect((await lost.app.inject({ url: '/healthz' })).statusCode).toBe(200)
  const answer = await lost.app.inject({ url: '/readyz' })
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toMatchObject({ problem: 'STORE_UNAVAILABLE' })
  await lost.app.close()
})

it("is not ready while its clock is more than five seconds off the store's", async () => {
  let offsetMs = 4_000
  const clock = { now: () => new Date(Date.now() + offsetMs) }
  const skewed = await startHttpFixture(await postgres.freshStore(), {}, { clock })
  expect((await skewed.app.inject({ url: '/readyz' })).statusCode).toBe(200)
  offsetMs = -7_000
  const answer = await skewed.app.inject({ url: '/readyz' })
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toMatchObject({ problem: 'CLOCK_WRONG', detail: expect.stringMatching(/-7 s/) })
  await skewed.close()
})
