import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Script, startScriptedControlPlane } from '../../test/support/scripted-control-plane.ts'
import { Secret } from '../base/secret.ts'
import { readSession, type SessionPlace, writeSession } from './session.ts'
import { SessionTokens } from './session-tokens.ts'

let folder: string
const stops: (() => Promise<void>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-tokens-'))
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  await rm(folder, { recursive: true })
})

const now = new Date('2026-11-23T12:00:00Z')
const inMinutes = (minutes: number) => new Date(now.getTime() + minutes * 60_000)
const renewed = (n: number) => ({
  body: { access_token: `access-${n}`, token_type: 'Bearer', expires_in: 3600, refresh_token: `refresh-${n}` },
})

/** A stored sign-in, and as many command lines as `tokens` is called. */
async function signInAt(script: Script, expiresAt: Date, refreshToken: string | undefined = 'refresh-0') {
  const server = await startScriptedControlPlane(script)
  stops.push(server.stop)
  const { origin } = server
  const place: SessionPlace = { environment: { XDG_CONFIG_HOME: folder }, origin, profile: undefined }
  await writeSession(place, {
    origin,
    email: 'ann@example.test',
    accessToken: new Secret('access-0'),
    refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
    expiresAt,
    caFile: undefined,
  })
  const tokens = () =>
    new SessionTokens({ place, endpoint: { origin, ca: undefined }, clock: { now: () => now }, hint: 'Sign in.' })
  return { server, place, tokens }
}

describe('the access token of a sign-in', () => {
  test('is sent as it is while it is good for more than five minutes', async () => {
    const { server, tokens } = await signInAt({}, inMinutes(6))
    expect((await tokens().get()).reveal()).toBe('access-0')
    expect(server.requests).toEqual([])
  })

  test('is renewed without asking when it is not, and the spent refresh token is replaced', async () => {
    const { server, place, tokens } = await signInAt({ 'POST /oidc/v1/token': renewed(1) }, inMinutes(-60))
    expect((await tokens().get()).reveal()).toBe('access-1')
    expect(Object.fromEntries(new URLSearchParams(server.requests[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'postern',
      refresh_token: 'refresh-0',
    })
    expect((await readSession(place))?.refreshToken?.reveal()).toBe('refresh-1')
  })

  test('is renewed once by many at a time: a refresh token that is used twice ends the sign-in', async () => {
    const { server, tokens } = await signInAt({ 'POST /oidc/v1/token': [renewed(1), renewed(2)] }, inMinutes(1))
    const got = await Promise.all(Array.from({ length: 5 }, () => tokens().get()))
    expect(new Set(got.map((token) => token.reveal()))).toEqual(new Set(['access-1']))
    expect(server.requests).toHaveLength(1)
  })

  test('whose refresh token is dead asks for a new sign-in', async () => {
    const dead = { status: 400, body: { error: 'invalid_grant', error_description: 'Refresh token is invalid' } }
    const { tokens } = await signInAt({ 'POST /oidc/v1/token': dead }, inMinutes(1))
    await expect(tokens().get()).rejects.toMatchObject({
      failure: 'denied',
      message: expect.stringMatching(/sign-in of ann@example\.test at .* has expired/),
      hint: 'Sign in.',
    })
  })

  test('goes on to its end while the control plane cannot renew it', async () => {
    const away = { status: 503, body: { error: 'temporarily_unavailable' } }
    const soon = await signInAt({ 'POST /oidc/v1/token': away }, inMinutes(1))
    expect((await soon.tokens().get()).reveal()).toBe('access-0')
    const over = await signInAt({ 'POST /oidc/v1/token': away }, inMinutes(-1))
    await expect(over.tokens().get()).rejects.toMatchObject({ failure: 'dependency' })
  })
})
