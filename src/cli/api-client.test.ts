import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Secret } from '../base/secret.ts'
import { problem, startScriptedControlPlane, type Script } from '../../test/support/scripted-control-plane.ts'
import { ApiClient, path } from './api-client.ts'
import { CliError } from './cli-error.ts'

const Answer = z.object({ ok: z.boolean() })
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function clientOf(script: Script, renew?: () => Promise<Secret>) {
  const server = await startScriptedControlPlane(script)
  stops.push(server.stop)
  const client = new ApiClient(
    { origin: server.origin, ca: undefined },
    { get: async () => new Secret('first'), renew },
  )
  return { client, server }
}

async function failureOf(work: Promise<unknown>): Promise<CliError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(CliError)
  return thrown as CliError
}

const get = { method: 'GET', path: '/v1/me', answer: Answer } as const

describe('the client of our own API', () => {
  test('sends the access token and reads an answer in the shape of the contract', async () => {
    const { client, server } = await clientOf({ 'GET /v1/me': { body: { ok: true } } })
    expect(await client.call({ ...get, query: { pageSize: 5, pageToken: undefined, filter: 'a b&c' } })).toEqual({
      ok: true,
    })
    expect(server.requests[0]?.headers.authorization).toBe('Bearer first')
    expect(server.requests[0]?.url).toBe('/v1/me?pageSize=5&filter=a+b%26c')
  })

  test('a problem keeps its code, hint and request id, and its kind is that of the error table', async () => {
    const { client } = await clientOf({
      'GET /v1/me': {
        status: 404,
        body: problem('NOT_FOUND', 404, 'no Postgres role is called x', 'List what exists.'),
      },
    })
    expect(await failureOf(client.call(get))).toMatchObject({
      failure: 'absent',
      message: 'no Postgres role is called x',
      hint: 'List what exists.',
      code: 'NOT_FOUND',
      requestId: 'request-1',
    })
  })

  test('a problem without a hint gets the advice of the error table', async () => {
    const { client } = await clientOf({
      'GET /v1/me': { status: 409, body: problem('ETAG_MISMATCH', 409, 'changed meanwhile') },
    })
    expect((await failureOf(client.call(get))).hint).toBe('Read it again and repeat the change.')
  })

  test('a code that only a newer server knows is judged by its status', async () => {
    const { client } = await clientOf({ 'GET /v1/me': { status: 409, body: problem('NOT_INVENTED_YET', 409, 'no') } })
    expect(await failureOf(client.call(get))).toMatchObject({ failure: 'conflict', code: 'NOT_INVENTED_YET' })
  })

  test.each([
    [400, 'INVALID_STATE', 'conflict'],
    [403, 'PERMISSION_DENIED', 'denied'],
    [404, 'RESOURCE_DOES_NOT_EXIST', 'absent'],
    [503, 'TEMPORARILY_UNAVAILABLE', 'dependency'],
  ])('an error of the compatible API with status %i and %s is of kind %s', async (status, error_code, failure) => {
    const { client } = await clientOf({ 'GET /v1/me': { status, body: { error_code, message: 'why' } } })
    expect(await failureOf(client.call(get))).toMatchObject({ failure, code: error_code, message: 'why' })
  })

  test('a limit says how long to wait', async () => {
    const body = problem('RATE_LIMITED', 429, 'too many requests', 'Slow down.')
    const { client } = await clientOf({ 'GET /v1/me': { status: 429, body, headers: { 'retry-after': '7' } } })
    expect(await failureOf(client.call(get))).toMatchObject({ failure: 'limit', hint: 'Wait 7 s and try again.' })
  })

  test('an answer that is not in the shape of the contract is a failure, not a guess', async () => {
    const { client } = await clientOf({ 'GET /v1/me': { body: { ok: 'yes' } } })
    expect(await failureOf(client.call(get))).toMatchObject({ failure: 'internal' })
  })

  test('another program at the port is told apart from Postern', async () => {
    const { client } = await clientOf({ 'GET /v1/me': { status: 404, body: '<h1>It works</h1>' } })
    const failure = await failureOf(client.call(get))
    expect(failure.failure).toBe('unreachable')
    expect(failure.message).toMatch(/answered, but not as Postern does \(HTTP 404\)/)
  })

  test('a redirect is not followed, so the access token stays where it was sent', async () => {
    const thief = await startScriptedControlPlane({ 'GET /v1/me': { body: { ok: true } } })
    stops.push(thief.stop)
    const { client } = await clientOf({ 'GET /v1/me': { status: 302, headers: { location: `${thief.origin}/v1/me` } } })
    expect((await failureOf(client.call(get))).failure).toBe('unreachable')
    expect(thief.requests).toEqual([])
  })

  test('a refused access token is renewed once where that needs nobody', async () => {
    const refused = { status: 401, body: problem('ACCESS_TOKEN_EXPIRED', 401, 'expired') }
    const { client, server } = await clientOf(
      { 'GET /v1/me': [refused, { body: { ok: true } }] },
      async () => new Secret('second'),
    )
    expect(await client.call(get)).toEqual({ ok: true })
    expect(server.requests.map((request) => request.headers.authorization)).toEqual(['Bearer first', 'Bearer second'])
  })

  test('a second refusal is reported', async () => {
    const refused = { status: 401, body: problem('UNAUTHENTICATED', 401, 'not valid here') }
    const { client, server } = await clientOf({ 'GET /v1/me': refused }, async () => new Secret('second'))
    expect(await failureOf(client.call(get))).toMatchObject({ failure: 'denied', code: 'UNAUTHENTICATED' })
    expect(server.requests).toHaveLength(2)
  })
})

describe('a path with names in it', () => {
  test('keeps every name one segment, whatever it holds', () => {
    expect(path`/v1/instances/${'a/b'}/roles/${'x:repair?y#z'}`).toBe('/v1/instances/a%2Fb/roles/x%3Arepair%3Fy%23z')
    expect(path`/v1/instances/${'sample'}:start`).toBe('/v1/instances/sample:start')
  })

  test('a name of two dots is sent as it is and leads nowhere else', async () => {
    const { client, server } = await clientOf({})
    await failureOf(client.call({ ...get, path: path`/v1/instances/sample/roles/${'..'}` }))
    expect(server.requests[0]?.url).toBe('/v1/instances/sample/roles/..')
  })

  test('an empty name is refused: it would reach the list', () => {
    expect(() => path`/v1/instances/${''}`).toThrow(CliError)
  })
})
