import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane, NewServicePrincipal } from '../support/control-plane.ts'
import { gatewayProcesses } from '../support/processes.ts'
import { type RunningPostern, temporaryFolder } from '../support/running-postern.ts'
import { attempt, ExternalStore, spooled, waitUntilReady, waitUntilShipped } from './external-store.ts'
import { SmallDisk } from './full-disk.ts'

/** Nobody gets in unrecorded: what becomes of audit records while the store cannot take them. */
const scratch = temporaryFolder('disks-')
const dataDisk = SmallDisk.tryMount(join(scratch, 'data'), 4 * 1024 * 1024)
const storeDisk = SmallDisk.tryMount(join(scratch, 'store'), 2 * 1024 * 1024)
const spoolMaxBytes = 65_536
let store: ExternalStore
let node: RunningPostern
let admin: ControlPlane
let known: NewServicePrincipal
let credential: string

beforeAll(async () => {
  const dataDir = join(scratch, 'data', 'postern')
  mkdirSync(dataDir)
  store = await ExternalStore.start()
  const flags = ['--audit-spool-max-bytes', String(spoolMaxBytes), '--login-denial-floor-ms', '0']
  node = await store.startNode({ dataDir, flags })
  admin = await node.asAdmin()
  known = await admin.createServicePrincipal('known')
  await store.registerInstance(admin, known)
  const application = await node.asServicePrincipal(known.clientId, known.clientSecret)
  credential = await application.mintCredential('orders')
})
afterAll(async () => {
  if (store) store.relay.fault = 'none'
  await node?.stop()
  await store?.stop()
  dataDisk?.unmount()
  storeDisk?.unmount()
  rmSync(scratch, { recursive: true, force: true })
})
afterEach(async () => {
  store.relay.fault = 'none'
  dataDisk?.free()
  await waitUntilReady(node)
  await waitUntilShipped(node)
})

const logIn = () => attempt(node, known.clientId, credential)
/** Refused without the store: its signature is wrong. */
const failToLogIn = () => attempt(node, known.clientId, credential.slice(0, -8) + 'AAAAAAAA')

/** Every login record in the store, as it was recorded. */
function loginRecords(since: Date): Promise<{ id: string; outcome: string; occurred_at: Date }[]> {
  const sql = `select id, outcome, occurred_at from audit_event where action = 'login' and occurred_at >= $1
    order by recorded_at, occurred_at`
  return store.ask(sql, [since])
}

test('what is spooled survives kill -9 of the worker, and reaches the store in order, once', async () => {
  await logIn()
  const since = new Date()
  store.relay.fault = 'gone'
  for (let i = 0; i < 5; i++) expect((await logIn()).outcome).toBe('session')
  process.kill(gatewayProcesses(node.pid)[0] as number, 'SIGKILL')
  const lines = spooled(node).join('').trim().split('\n')
  const ids = lines
    .map((line) => JSON.parse(line) as { id: string; action: string })
    .filter(isLogin)
    .map(({ id }) => id)
  expect(ids).toHaveLength(5)
  store.relay.fault = 'none'
  await waitUntilShipped(node)
  const records = await loginRecords(since)
  expect(records.map(({ id }) => id)).toEqual(ids)
})

test('when the spool is full logins are refused with 57P03, and when it is shipped they are allowed again', async () => {
  await logIn()
  const since = new Date()
  store.relay.fault = 'gone'
  const outcomes: string[] = []
  for (let i = 0; i < 40; i++) {
    const together = await Promise.all(Array.from({ length: 5 }, failToLogIn))
    outcomes.push(...together.map(({ outcome }) => outcome))
    if (outcomes.includes('57P03')) break
  }
  expect(new Set(outcomes)).toEqual(new Set(['28P01', '57P03']))
  const refused = await logIn()
  expect(refused.outcome).toBe('57P03')
  expect(refused.message).toContain('audit record could not be written')
  expect(Buffer.byteLength(spooled(node).join(''))).toBeLessThanOrEqual(spoolMaxBytes)
  store.relay.fault = 'none'
  await waitUntilShipped(node)
  // Who was told the ordinary refusal is recorded; who was told 57P03 is not, and did nothing.
  const records = await loginRecords(since)
  expect(records.filter(({ outcome }) => outcome === 'denied')).toHaveLength(
    outcomes.filter((o) => o === '28P01').length,
  )
  expect((await logIn()).outcome).toBe('session')
})

// Only where the machine lets us make a small disk: an ordinary user, and most containers, cannot.
describe.each(dataDisk && storeDisk ? [{ small: dataDisk, tiny: storeDisk }] : [])('a full disk', ({ small, tiny }) => {
  test('of the node: logins are refused with 57P03 while the store is away, too, and nothing is half written', async () => {
    await logIn()
    const since = new Date()
    store.relay.fault = 'gone'
    expect((await logIn()).outcome).toBe('session')
    small.fill()
    const outcomes: string[] = []
    for (let i = 0; i < 30; i++) outcomes.push((await failToLogIn()).outcome)
    expect(outcomes.at(-1)).toBe('57P03')
    expect((await logIn()).outcome).toBe('57P03')
    small.free()
    expect((await logIn()).outcome).toBe('session')
    store.relay.fault = 'none'
    await waitUntilShipped(node)
    const records = await loginRecords(since)
    expect(records.filter(({ outcome }) => outcome === 'allowed')).toHaveLength(2)
    expect(records.filter(({ outcome }) => outcome === 'denied')).toHaveLength(
      outcomes.filter((o) => o === '28P01').length,
    )
  })

  test('of the store: logins are allowed and spooled, changes are refused with 503', async () => {
    const folder = join(scratch, 'store', 'tablespace')
    mkdirSync(folder, { mode: 0o700 })
    execFileSync('chown', ['-R', 'postern-meta:', folder])
    const superuser = await store.upstream.superuser('metadata')
    await superuser.query(`create tablespace small location '${folder}'`)
    await superuser.query('alter table audit_event set tablespace small')
    tiny.fill()
    // The table has pages to spare.
    const filler = `insert into audit_event (id, occurred_at, action, outcome, detail)
      values (gen_random_uuid(), now(), 'filler', 'allowed', '{}')`
    await expect(
      (async () => {
        for (let i = 0; i < 20_000; i++) await superuser.query(filler)
      })(),
    ).rejects.toMatchObject({ code: '53100' })
    const since = new Date()
    const outcomes: string[] = []
    try {
      const isLoginSpooled = () => spooled(node).join('').includes('"action":"login"')
      while (outcomes.length < 100 && !isLoginSpooled()) outcomes.push((await logIn()).outcome)
      expect(isLoginSpooled()).toBe(true)
      expect(new Set(outcomes)).toEqual(new Set(['session']))
      const change = await admin.send('POST', '/v1/servicePrincipals', { displayName: 'new', workspaceRole: 'member' })
      expect(change).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } })
    } finally {
      tiny.free()
    }
    await waitUntilShipped(node)
    expect(await loginRecords(since)).toHaveLength(outcomes.length)
    await superuser.query('alter table audit_event set tablespace pg_default')
    await superuser.query('drop tablespace small')
    await superuser.end()
  })
})

function isLogin({ action }: { action: string }): boolean {
  return action === 'login'
}
