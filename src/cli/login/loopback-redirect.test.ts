import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../base/secret.ts'
import { awaitRedirect, type LoopbackRedirect } from './loopback-redirect.ts'

let redirect: LoopbackRedirect
beforeEach(async () => {
  redirect = await awaitRedirect(new Secret('the state'))
})
afterEach(() => redirect.close())

/** A page of the browser, or a program that pretends to be one. */
function open(query: string, over: { path?: string; host?: string; method?: string } = {}): Promise<number> {
  const url = new URL(redirect.redirectUri)
  return new Promise((resolve, reject) => {
    const path = `${over.path ?? url.pathname}?${query}`
    const headers = { host: over.host ?? url.host, connection: 'close' }
    const sent = request({ hostname: url.hostname, port: url.port, path, method: over.method ?? 'GET', headers })
    sent.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('the listener for the browser', () => {
  test('takes the code that comes with its state, and shows how it ended', async () => {
    const answered = redirect.answer(10_000)
    const shown = open('code=c-1&state=the%20state&iss=http://127.0.0.1:8080/oidc')
    const { code, issuer, finish } = await answered
    expect([code.reveal(), issuer]).toEqual(['c-1', 'http://127.0.0.1:8080/oidc'])
    finish('Signed in', 'Close it.')
    expect(await shown).toBe(200)
  })

  test.each([
    ['another state', 'code=evil&state=guessed', {}],
    ['no state', 'code=evil', {}],
    ['an error with another state', 'error=access_denied&state=guessed', {}],
    ['another path', 'code=evil&state=the%20state', { path: '/other' }],
    ['the name of another site', 'code=evil&state=the%20state', { host: 'rebound.example.test' }],
    ['another method', 'code=evil&state=the%20state', { method: 'POST' }],
  ])('%s neither slips in a code nor ends the sign-in', async (_name, query, over) => {
    const answered = redirect.answer(10_000)
    expect(await open(query, over)).toBe(404)
    const shown = open('code=right&state=the%20state')
    const { code, finish } = await answered
    finish('Signed in', 'Close it.')
    expect(code.reveal()).toBe('right')
    await shown
  })

  test('a person who cancels is told so', async () => {
    const answered = redirect.answer(10_000)
    const failure = expect(answered).rejects.toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('cancelled in the browser'),
    })
    await open('error=access_denied&state=the%20state')
    await failure
  })

  test('takes the next port where the first one is taken', async () => {
    const other = await awaitRedirect(new Secret('another'))
    other.close()
    expect(new URL(other.redirectUri).port).not.toBe(new URL(redirect.redirectUri).port)
    expect(new URL(other.redirectUri).hostname).toBe('127.0.0.1')
  })
})
