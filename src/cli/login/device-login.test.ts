import { afterEach, describe, expect, test } from 'vitest'
import { recordedTerminal } from '../../../test/support/recorded-terminal.ts'
import { type Script, startScriptedControlPlane } from '../../../test/support/scripted-control-plane.ts'
import { systemClock } from '../../base/clock.ts'
import { logInWithDevice } from './device-login.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const device = {
  device_code: 'hush',
  user_code: 'BCDF-GHJK',
  verification_uri: 'https://postern.example.test/oidc/device',
  expires_in: 600,
  interval: 0.01,
}
const refused = (error: string) => ({ status: 400, body: { error } })

async function logInAt(script: Script, over: object = {}) {
  const server = await startScriptedControlPlane({
    'POST /oidc/v1/device/authorize': { body: { ...device, ...over } },
    ...script,
  })
  stops.push(server.stop)
  const { terminal, notes } = recordedTerminal()
  const options = { output: 'table', host: server.origin, caFile: undefined, profile: undefined } as const
  const cli = { ...options, terminal, environment: {}, clock: systemClock }
  return { server, notes, grant: logInWithDevice(cli, { origin: server.origin, ca: undefined }) }
}

describe('signing in by a code', () => {
  test('shows address and code, and asks until they are confirmed', async () => {
    const granted = { access_token: 'access', token_type: 'Bearer', expires_in: 3600, refresh_token: 'refresh' }
    const pending = refused('authorization_pending')
    const { server, notes, grant } = await logInAt({ 'POST /oidc/v1/token': [pending, pending, { body: granted }] })
    expect((await grant).refreshToken?.reveal()).toBe('refresh')
    expect(notes()).toContain('BCDF-GHJK')
    expect(notes()).toContain('https://postern.example.test/oidc/device')
    expect(notes()).not.toContain('hush')
    expect(server.requests.filter(({ url }) => url === '/oidc/v1/token')).toHaveLength(3)
  })

  test.each([
    ['access_denied', /refused in the browser/],
    ['expired_token', /nobody confirmed the code in time/],
  ])('%s ends it and says why', async (error, message) => {
    const { grant } = await logInAt({ 'POST /oidc/v1/token': refused(error) })
    await expect(grant).rejects.toThrow(message)
  })

  test('a code that nobody confirms ends by the clock of this machine too', async () => {
    const { grant } = await logInAt({ 'POST /oidc/v1/token': refused('authorization_pending') }, { expires_in: 0.03 })
    await expect(grant).rejects.toThrow(/nobody confirmed/)
  })

  test('text of the server never steers the terminal', async () => {
    const { notes, grant } = await logInAt(
      { 'POST /oidc/v1/token': refused('access_denied') },
      { user_code: '\u001b[2JEVIL', verification_uri: 'https://x.test/\u001b]0;title\u0007' },
    )
    await grant.catch(() => undefined)
    expect(notes()).not.toContain('\u001b')
  })
})
