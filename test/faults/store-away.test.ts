import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane, NewServicePrincipal } from '../support/control-plane.ts'
import type { NetworkFault } from '../support/fault-relay.ts'
import { gatewayProcesses } from '../support/processes.ts'
import type { RunningPostern } from '../support/running-postern.ts'
import {
  ask,
  askForToken,
  attempt,
  ExternalStore,
  spooled,
  waitUntilReady,
  waitUntilShipped,
} from './external-store.ts'

/** Logins and requests while the metadata store is away (design section 5a, docs/design/0011). */
let store: ExternalStore
let node: RunningPostern
let admin: ControlPlane
let known: NewServicePrincipal
let stranger: NewServicePrincipal
let application: ControlPlane
let credential: string
let strangersCredential: string

beforeAll(async () => {
  store = await ExternalStore.start()
  node = await store.startNode()
  admin = await node.asAdmin()
  known = await admin.createServicePrincipal('known')
  stranger = await admin.createServicePrincipal('stranger')
  await store.registerInstance(admin, known, stranger)
  application = await node.asServicePrincipal(known.clientId, known.clientSecret)
  credential = await application.mintCredential('orders')
  const other = await node.asServicePrincipal(stranger.clientId, stranger.clientSecret)
  strangersCredential = await other.mintCredential('orders')
})
afterAll(async () => {
  if (store) store.relay.fault = 'none'
  await node?.stop()
  await store?.stop()
})
afterEach(async () => {
  store.relay.latencyMs = 0
  store.relay.fault = 'none'
  await waitUntilReady(node)
  await waitUntilShipped(node)
  await expect.poll(async () => (await logIn()).outcome, { timeout: 10_000 }).toBe('session')
  await expect.poll(lastFactsFrom, { timeout: 10_000, interval: 200 }).toBe('store')
})

const logIn = () => attempt(node, known.clientId, credential)

/** Where the facts of a new login come from. */
async function lastFactsFrom(): Promise<string | undefined> {
  await logIn()
  const [row] = await store.ask<{ source: string }>(
    `select detail->>'factsFrom' as source from audit_event where action = 'login' order by occurred_at desc limit 1`,
  )
  return row?.source
}

async function countLogins(): Promise<number> {
  const [row] = await store.ask<{ count: string }>(`select count(*) from audit_event where action = 'login'`)
  return Number(row?.count)
}

describe.each<NetworkFault>(['gone', 'frozen', 'blackhole'])('while the store is %s', (fault) => {
  test('who logged in before logs in, nobody else does, every denial keeps its words, and all of it is recorded', async () => {
    expect((await logIn()).outcome).toBe('session')
    const before = await countLogins()
    store.relay.fault = fault
    const first = await logIn()
    expect(first.outcome).toBe('session')
    // The deadline of the read, then that of the audit record, and the login itself.
    expect(first.elapsedMs).toBeLessThan(250 + 1_000 + 750)
    const others = await Promise.all([
      attempt(node, stranger.clientId, strangersCredential),
      attempt(node, known.clientId, 'not a credential'),
      attempt(node, known.clientId, credential.slice(0, -8) + 'AAAAAAAA'),
    ])
    // Whether a password may log in is in the store: it is not called wrong. A token that is none of ours is, as ever.
    expect(others.map(({ outcome }) => outcome)).toEqual(['57P03', '57P03', '28P01'])
    expect(others[0]?.message).toBe('Logins cannot be checked right now')
    expect(others[1]?.message).toBe(others[0]?.message)
    expect(others[2]?.message).toBe(`password authentication failed for user "${known.clientId}"`)
    for (let i = 0; i < 3; i++) await attempt(node, stranger.clientId, strangersCredential)
    // The circuit is open: nobody waits for a store that is known to be away.
    const later = await Promise.all([logIn(), logIn(), logIn()])
    expect(later.map(({ outcome }) => outcome)).toEqual(['session', 'session', 'session'])
    expect(spooled(node).join('')).toContain('"factsFrom":"memory"')
    store.relay.fault = 'none'
    await waitUntilShipped(node)
    expect(await countLogins()).toBe(before + 10)
  })

  test('requests are answered 503 in time, and readiness says so', async () => {
    store.relay.fault = fault
    const [ready, api, token] = await Promise.all([
      ask(node, '/readyz'),
      ask(node, '/v1/instances', admin.accessToken),
      askForToken(node, known),
    ])
    expect(ready).toMatchObject({ status: 503, body: { problem: 'STORE_UNAVAILABLE' } })
    expect(ready.elapsedMs).toBeLessThan(3_000)
    expect(api).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } })
    expect(api.elapsedMs).toBeLessThan(8_000)
    expect(token).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect((await ask(node, '/healthz')).status).toBe(200)
  })
})

describe('while the store is slow', () => {
  test('but within the deadline, every login is a fresh read', async () => {
    store.relay.latencyMs = 20
    expect((await logIn()).outcome).toBe('session')
    expect(await lastFactsFrom()).toBe('store')
  })

  test('beyond the deadline, who logged in before logs in, and nobody else', async () => {
    store.relay.latencyMs = 200
    expect((await logIn()).outcome).toBe('session')
    expect((await attempt(node, stranger.clientId, strangersCredential)).outcome).toBe('57P03')
  })
})

describe('while the store takes no changes', () => {
  test('logins are fresh reads and recorded in the spool, changes are refused with 503, and readiness says so', async () => {
    const before = await countLogins()
    await store.ask('alter database metadata set default_transaction_read_only = on')
    store.relay.reset()
    try {
      expect((await logIn()).outcome).toBe('session')
      expect((await attempt(node, stranger.clientId, strangersCredential)).outcome).toBe('session')
      expect(spooled(node).join('')).toContain('"factsFrom":"store"')
      expect(await ask(node, '/readyz')).toMatchObject({ status: 503, body: { problem: 'STORE_UNAVAILABLE' } })
      const change = await admin.send('POST', '/v1/servicePrincipals', { displayName: 'new', workspaceRole: 'member' })
      expect(change).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } })
      expect(
        (await application.send('POST', '/api/2.0/database/credentials', { instance_names: ['orders'] })).status,
      ).toBe(503)
    } finally {
      await store.ask('set transaction_read_only = off; alter database metadata reset default_transaction_read_only')
      store.relay.reset()
    }
    await waitUntilShipped(node)
    expect(await countLogins()).toBe(before + 2)
  })
})

test('a removal that the node has seen is not undone; one that it has not seen lasts until the store is back', async () => {
  const bindings = `update postgres_role_binding set role_name = $2 where role_name = $1`
  const hide = (name: string) => store.ask(bindings, [name, `hidden ${name}`])
  const show = (name: string) => store.ask(bindings, [`hidden ${name}`, name])
  await attempt(node, stranger.clientId, strangersCredential)
  await logIn()
  await hide(known.clientId)
  await hide(stranger.clientId)
  try {
    const seen = await logIn()
    expect(seen.message).toContain('is not bound to any principal')
    store.relay.fault = 'gone'
    expect((await logIn()).outcome).toBe('57P03')
    expect((await attempt(node, stranger.clientId, strangersCredential)).outcome).toBe('session')
    store.relay.fault = 'none'
    await waitUntilReady(node)
    await expect
      .poll(async () => (await attempt(node, stranger.clientId, strangersCredential)).message, { timeout: 10_000 })
      .toContain('is not bound to any principal')
  } finally {
    await show(known.clientId)
    await show(stranger.clientId)
  }
})

test.each<NetworkFault>(['gone', 'frozen'])(
  'a worker that is started again while the store is %s listens and lets nobody in, and everybody once it is back',
  async (fault) => {
    await logIn()
    store.relay.fault = fault
    expect((await logIn()).outcome).toBe('session')
    process.kill(gatewayProcesses(node.pid)[0] as number, 'SIGKILL')
    await expect.poll(async () => (await logIn()).outcome, { timeout: 20_000 }).toBe('57P03')
    for (let i = 0; i < 10; i++) {
      const { outcome, message } = await logIn()
      expect(outcome).toBe('57P03')
      expect(message).toContain('the gateway has just started and the metadata store does not answer')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    store.relay.fault = 'none'
    await expect.poll(async () => (await logIn()).outcome, { timeout: 20_000 }).toBe('session')
  },
)
