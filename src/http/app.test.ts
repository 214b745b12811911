import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  requestToken,
  startHttpFixture,
  testHttpOptions,
} from '../../test/support/http-app.ts'
import { issueAuthority, issueServerCertificate } from '../keys/issue-certificate.ts'
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

it('serves nobody who names no host, or two', async () => {
  expect(await exchange('GET /v1/me HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.[01] 40[04] /)
  const own = `127.0.0.1:${port}`
  const ask = (target: string, ...hosts: string[]) => {
    const headers = hosts.map((host) => `Host: ${host}\r\n`).join('')
    return exchange(`GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`)
  }
  const path = '/.well-known/databricks-config'
  for (const answer of [
    await ask(path, own, 'evil.test'),
    await ask(path, 'evil.test', own),
    await ask(path, own, own),
    await ask(`http://evil.test${path}`, own),
    await ask(`http://${own}${path}`, 'evil.test'),
    await ask(`https://user.test@${own}${path}`, own),
    await ask('http://', own),
  ]) {
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('MALFORMED_REQUEST')
    expect(answer).not.toContain('evil')
  }
  for (const target of [path, `http://${own}${path}`, `HTTP://${own}${path}?a=b`]) {
    expect(await ask(target, own), target).toMatch(/^HTTP\/1.1 200 /)
  }
})

it('lets no page of another site use up the token requests and sign-ins of its visitor', async () => {
  const visitor = '192.0.2.77'
  const host = `127.0.0.1:${port}`
  const form = { grant_type: 'password', client_id: 'postern', username: fixture.adminEmail, password: 'guess' }
  for (const origin of ['https://evil.test', 'http://localhost:81', 'null', 'http://localhost.evil.test']) {
    for (let i = 0; i < 40; i++) {
      const answer = await requestToken(fixture.app, { form, headers: { host, origin }, remoteAddress: visitor })
      expect(answer.statusCode).toBe(403)
    }
  }
  const right = { ...form, password: fixture.adminPassword.reveal(), scope: 'all-apis' }
  const signIn = await requestToken(fixture.app, { form: right, headers: { host }, remoteAddress: visitor })
  expect(signIn.statusCode).toBe(200)
  const post = (origin: string) =>
    fixture.app.inject({ method: 'POST', url: '/v1/servicePrincipals', headers: { host, origin }, payload: {} })
  expect((await post(`http://${host}`)).statusCode, 'a page of our own').toBe(401)
  expect((await post('https://evil.test')).statusCode).toBe(403)
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

it('serves HTTPS with the certificate of the operator, and names itself by https', async () => {
  const folder = mkdtempSync('/tmp/postern-https-')
  const authority = await issueAuthority(new Date())
  const server = await issueServerCertificate(authority, ['localhost', '127.0.0.1'], new Date())
  const httpTlsCert = join(folder, 'server.pem')
  const httpTlsKey = join(folder, 'server.key')
  writeFileSync(httpTlsCert, server.certificatePem)
  writeFileSync(httpTlsKey, server.privateKey.reveal())
  const app = await createHttpApp(fixture.deps, { ...testHttpOptions, httpTlsCert, httpTlsKey })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const tlsPort = (app.server.address() as AddressInfo).port
  const answer = await new Promise<{ headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const options = {
      port: tlsPort,
      host: '127.0.0.1',
      path: '/.well-known/databricks-config',
      ca: authority.certificatePem,
    }
    get(options, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve({ headers: response.headers, body }))
    }).on('error', reject)
  })
  expect(JSON.parse(answer.body)).toMatchObject({ oidc_endpoint: `https://127.0.0.1:${tlsPort}/oidc` })
  expect(answer.headers['strict-transport-security']).toMatch(/max-age/)
  await app.close()
  rmSync(folder, { recursive: true })
})

it('is alive but not ready while the store is away, and answers 503 rather than a refusal', async () => {
  const ownPostgres = await startEmbeddedPostgres()
  const lost = await startHttpFixture(await ownPostgres.freshStore())
  const caller = await addServicePrincipal(lost)
  const headers = bearer(await accessTokenOf(lost.app, caller))
  expect((await lost.app.inject({ url: '/readyz' })).statusCode).toBe(200)
  await ownPostgres.server.stop()
  expect((await lost.app.inject({ url: '/healthz' })).statusCode).toBe(200)
  const ready = await lost.app.inject({ url: '/readyz' })
  expect(ready.statusCode).toBe(503)
  expect(ready.json()).toMatchObject({ problem: 'STORE_UNAVAILABLE' })
  const me = await lost.app.inject({ url: '/v1/me', headers })
  expect(me.json()).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' })
  const token = await requestToken(lost.app, { form: { grant_type: 'client_credentials' }, basic: caller })
  expect(token.statusCode).toBe(503)
  expect(token.json()).toMatchObject({ error: 'temporarily_unavailable' })
  await lost.close()
  await ownPostgres.stop()
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
