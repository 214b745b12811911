import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testDialer } from '../../test/support/test-dialer.ts'
import { EndpointReference } from '../contract/secret-references.ts'
import { readMustache } from './endpoint.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'
import { SecretResolver } from './secret-resolver.ts'

const good = Buffer.from('the password').toString('base64')
let answer: (response: ServerResponse) => void
let seen: { method: string; url: string; headers: IncomingHttpHeaders }[] = []
let origin: string

const server = createServer((request, response) => {
  seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
  answer(response)
})

beforeEach(async () => {
  seen = []
  answer = (response) => response.end(JSON.stringify({ payload: { data: good } }))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

function resolve(wanted: EndpointReference, policy: Partial<OperatorPolicy> = {}) {
  return new SecretResolver({
    dialer: testDialer(),
    policy: { ...CLOSED_POLICY, ...policy },
    clock: { now: () => new Date() },
    ttlMs: 60_000,
    staleMs: 600_000,
    timeoutMs: 1_000,
  }).resolveReference(wanted)
}

function reference(change: object = {}): EndpointReference {
  return EndpointReference.parse({ source: 'endpoint', url: `${origin}/secrets/mydbkey:access`, ...change })
}

describe('a custom endpoint', () => {
  it('[D1-149] is called by GET at the URL between {{ and }}, and answers the base64 of the password', async () => {
    const found = readMustache(`{{${origin}/secrets/mydbkey:access}}`)
    expect(found).toBeDefined()
    expect((await resolve(found!)).value.reveal()).toBe('the password')
    expect(seen).toMatchObject([{ method: 'GET', url: '/secrets/mydbkey:access' }])
  })

  it('gets the headers of the reference', async () => {
    await resolve(reference({ headers: { 'x-api-key': 'who we are' } }))
    expect(seen[0]?.headers['x-api-key']).toBe('who we are')
  })

  const json =
    (body: unknown, status = 200) =>
    (response: ServerResponse) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }

  it.each<[string, (response: ServerResponse) => void, string]>([
    ['500', json({}, 500), 'SECRET_SOURCE_UNAVAILABLE'],
    ['429', json({}, 429), 'SECRET_SOURCE_UNAVAILABLE'],
    ['404', json({ payload: { data: good } }, 404), 'SECRET_SOURCE_NOT_FOUND'],
    ['401', json({}, 401), 'SECRET_SOURCE_DENIED'],
    ['204 without a body', (response) => response.writeHead(204).end(), 'SECRET_SOURCE_INVALID'],
    ['201', json({ payload: { data: good } }, 201), 'SECRET_SOURCE_INVALID'],
    ['no JSON', (response) => response.end('the password'), 'SECRET_SOURCE_INVALID'],
    ['a list', json([good]), 'SECRET_SOURCE_INVALID'],
    ['no payload', json({ data: good }), 'SECRET_SOURCE_INVALID'],
    ['an empty password', json({ payload: { data: '' } }), 'SECRET_SOURCE_INVALID'],
    ['a number', json({ payload: { data: 1234 } }), 'SECRET_SOURCE_INVALID'],
    ['something else than base64', json({ payload: { data: 'not base64!' } }), 'SECRET_SOURCE_INVALID'],
    ['base64 without its padding', json({ payload: { data: 'YWI' } }), 'SECRET_SOURCE_INVALID'],
    ['bytes that are no text', json({ payload: { data: '/w==' } }), 'SECRET_SOURCE_INVALID'],
    ['two megabytes', (response) => response.end('x'.repeat(2_000_000)), 'SECRET_SOURCE_UNAVAILABLE'],
    ['nothing at all', () => undefined, 'SECRET_SOURCE_UNAVAILABLE'],
    ['a cut', (response) => response.destroy(), 'SECRET_SOURCE_UNAVAILABLE'],
  ])('never gives an empty password: %s', async (_, how, code) => {
    answer = how
    await expect(resolve(reference())).rejects.toMatchObject({ code })
  })

  it('is not followed elsewhere', async () => {
    let others = 0
    const other = createServer((_, response) => {
      others += 1
      response.end(JSON.stringify({ payload: { data: good } }))
    })
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`
    answer = (response) => response.writeHead(302, { location }).end()
    await expect(resolve(reference())).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
    expect(others).toBe(0)
    await new Promise((done) => other.close(done))
  })

  it.each([
    ['the metadata server of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['the same by https', 'https://169.254.169.254/latest/meta-data/'],
    ['the same, written as one number', 'https://2852039166/latest/meta-data/'],
    ['a host by plain http', 'http://secrets.corp.test/x'],
  ])('is never %s', async (_, url) => {
    await expect(resolve(reference({ url }))).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
  })

  it('is one of those that the operator lists, where he lists any', async () => {
    const policy = { storeOrigins: ['https://secrets.corp.test'] }
    await expect(resolve(reference(), policy)).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
    expect(seen).toEqual([])
    expect((await resolve(reference(), { storeOrigins: [origin] })).value.reveal()).toBe('the password')
  })
})

describe('a password', () => {
  it.each(['plain', '{{half', 'half}}', '{one}', 'a {{https://x.test}} b'])('%s is just a password', (password) => {
    expect(readMustache(password)).toBeUndefined()
  })

  it.each(['{{}}'])('%s is just a password: nothing stands in the braces', (password) => {
    expect(readMustache(password)).toBeUndefined()
  })

  it.each(['{{ }}', '{{ftp://x.test/}}', '{{file:///etc/passwd}}', '{{not a url}}', '{{https://user:pw@x.test/}}'])(
    '%s is refused with the reason',
    (password) => {
      expect(() => readMustache(password)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )
})
