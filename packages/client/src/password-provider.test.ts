import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { problem, type Script, startScriptedControlPlane } from '../../../test/support/scripted-control-plane.ts'
import { CredentialError, passwordProvider, type PasswordProviderOptions } from './index.ts'

const now = new Date('2026-11-23T12:00:00Z')
const stops: (() => Promise<void>)[] = []
beforeEach(() => {
  vi.useFakeTimers({ now, toFake: ['Date'] })
})
afterEach(async () => {
  vi.useRealTimers()
  for (const stop of stops.splice(0)) await stop()
})

const granted = { body: { access_token: 'access-1', token_type: 'Bearer', expires_in: 3600 } }

/** A credential as the control plane issues it at a time of its own clock. */
function issued(token: string, at = now) {
  const expiresAt = new Date(at.getTime() + 3_600_000).toISOString()
  return { headers: { date: at.toUTCString() }, body: { token, expiresAt } }
}

function minutesLater(minutes: number): void {
  vi.setSystemTime(now.getTime() + minutes * 60_000)
}

async function providerAt(script: Script, options: Partial<PasswordProviderOptions> = {}) {
  const server = await startScriptedControlPlane({ 'POST /oidc/v1/token': granted, ...script })
  stops.push(server.stop)
  const identity = { clientId: 'client:1', clientSecret: 'hush/hush' }
  const password = passwordProvider({ host: server.origin, instance: 'orders', ...identity, ...options })
  const minted = () => server.requests.filter(({ url }) => url === '/v1/databaseCredentials')
  return { server, password, minted }
}

describe('a password provider', () => {
  test('asks for a credential as the service principal, with what restricts it', async () => {
    const wishes = { group: 'analysts', readOnly: true, lifetimeSeconds: 600 }
    const { server, password, minted } = await providerAt({ 'POST /v1/databaseCredentials': issued('one') }, wishes)
    expect(await password()).toBe('one')
    const basic = Buffer.from('client%3A1:hush%2Fhush').toString('base64')
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${basic}`)
    expect(minted()[0]?.headers.authorization).toBe('Bearer access-1')
    expect(JSON.parse(minted()[0]?.body ?? '')).toEqual({
      instanceNames: ['orders'],
      groupName: 'analysts',
      readOnly: true,
      lifetimeSeconds: 600,
    })
  })

  test('asks once however many sessions begin at the same time', async () => {
    const { password, minted } = await providerAt({ 'POST /v1/databaseCredentials': issued('one') })
    const passwords = await Promise.all(Array.from({ length: 50 }, () => password()))
    expect(new Set(passwords)).toEqual(new Set(['one']))
    expect(minted()).toHaveLength(1)
  })

  test('keeps a credential until near its end, then renews it', async () => {
    const answers = [issued('one'), issued('two', new Date(now.getTime() + 56 * 60_000))]
    const { password, minted } = await providerAt({ 'POST /v1/databaseCredentials': answers })
    await password()
    minutesLater(53)
    expect(await password()).toBe('one')
    expect(minted()).toHaveLength(1)
    minutesLater(56)
    expect(await password()).toBe('two')
  })

  test('goes by the clock of the control plane where that of the machine is wrong', async () => {
    const hourAgo = new Date(now.getTime() - 3_600_000)
    const { password, minted } = await providerAt({ 'POST /v1/databaseCredentials': issued('one', hourAgo) })
    await password()
    minutesLater(50)
    await password()
    expect(minted()).toHaveLength(1)
  })

  test('goes on with a credential that still logs in when renewing fails, and says so', async () => {
    const away = { status: 503, body: problem('METADATA_STORE_UNAVAILABLE', 503, 'the store is away') }
    const failures: unknown[] = []
    const { password, minted } = await providerAt(
      { 'POST /v1/databaseCredentials': [issued('one'), away] },
      { onRenewalFailure: (error) => failures.push(error) },
    )
    await password()
    minutesLater(58)
    expect(await Promise.all([password(), password()])).toEqual(['one', 'one'])
    expect(minted()).toHaveLength(2)
    expect(failures[0]).toMatchObject({ code: 'METADATA_STORE_UNAVAILABLE', status: 503 })
    expect(await password()).toBe('one')
    expect(minted()).toHaveLength(2)
    minutesLater(60)
    await expect(password()).rejects.toThrow(/the store is away/)
  })

  test('a refusal says who refused and why, and holds no secret', async () => {
    const refused = {
      status: 401,
      body: { error: 'invalid_client', error_description: 'Client authentication failed' },
    }
    const { password } = await providerAt({ 'POST /oidc/v1/token': refused })
    const error = await password().catch((thrown: unknown) => thrown as CredentialError)
    expect(error).toBeInstanceOf(CredentialError)
    expect(error).toMatchObject({ code: 'invalid_client', status: 401 })
    expect(String(error)).toMatch(/http:\/\/localhost:\d+ refused: Client authentication failed/)
    expect(JSON.stringify(error)).not.toContain('hush')
  })

  test('a control plane that is not there is an error of the network', async () => {
    const { server, password } = await providerAt({})
    await server.stop()
    stops.length = 0
    await expect(password()).rejects.toMatchObject({ code: 'ECONNREFUSED', status: undefined })
  })

  test('a secret is never sent unencrypted to another machine', async () => {
    const identity = { clientId: 'a', clientSecret: 'b', instance: 'orders' }
    await expect(passwordProvider({ ...identity, host: 'http://postern.example.test' })()).rejects.toThrow(/use https/)
  })

  test('an access token of somebody else’s making takes the place of the service principal', async () => {
    const { server, password } = await providerAt(
      { 'POST /v1/databaseCredentials': issued('one') },
      { accessToken: () => Promise.resolve('mine') },
    )
    await password()
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer mine'])
  })
})
