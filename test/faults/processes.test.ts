import { existsSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type Forge, openForge } from '../support/forge.ts'
import { failureCode, openGatewaySession } from '../support/gateway-session.ts'
import { controlProcess, descendants, gatewayProcesses, isAlive, postmaster } from '../support/processes.ts'
import { type DemoReadyFile, type RunningPostern, startDemo, temporaryFolder } from '../support/running-postern.ts'
import { Load } from './load.ts'

/** Each part of Postern killed as it stands, under a load of logins and queries. The tests build on one another. */
const dataDir = temporaryFolder('data-')
let postern: RunningPostern<DemoReadyFile>
let application: ControlPlane
let load: Load
/** Reads what was recorded; of the metadata store itself, so not while that is away. */
let forge: Forge

beforeAll(async () => {
  await startOnSameData()
  load = new Load(
    () => postern,
    () => application,
  )
  await load.start()
})
afterAll(async () => {
  await load?.stop()
  await forge?.close()
  await postern?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function startOnSameData(): Promise<void> {
  const running = await startDemo({ dataDir, flags: ['--gateway-workers', '2', '--drain-timeout-seconds', '4'] })
  const { clientId, clientSecret } = running.ready.servicePrincipal
  application = await running.asServicePrincipal(clientId, clientSecret)
  forge = await openForge(running)
  postern = running
}

const metadataHome = () => join(dataDir, 'metadata')
const instanceHome = () => {
  const instances = join(dataDir, 'instances')
  return join(instances, readdirSync(instances)[0] as string)
}

async function isOpen(session: pg.Client): Promise<boolean> {
  return session.query('select 1').then(
    () => true,
    () => false,
  )
}

/** Kills a process as it stands, and waits until it is gone. */
async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => isAlive(pid)).toBe(false)
}

test('a gateway worker that is killed takes its own sessions with it and no others, and comes back', async () => {
  const [victim] = gatewayProcesses(postern.pid)
  const sessions = await Promise.all(Array.from({ length: 12 }, () => load.openSession()))
  await kill(victim as number)
  const open = (await Promise.all(sessions.map(isOpen))).filter(Boolean)
  expect(open.length).toBeGreaterThan(0)
  expect(open.length).toBeLessThan(sessions.length)
  await expect.poll(() => gatewayProcesses(postern.pid).length).toBe(2)
  expect(gatewayProcesses(postern.pid)).not.toContain(victim)
  await load.recovers()
  await Promise.all(sessions.map((session) => session.end().catch(() => undefined)))
  await load.verify(forge)
})

test('the control plane that is killed comes back, and no session notices', async () => {
  const session = await load.openSession()
  await kill(controlProcess(postern.pid) as number)
  expect(await isOpen(session)).toBe(true)
  await load.recovers()
  expect(await isOpen(session)).toBe(true)
  await session.end()
  await load.verify(forge)
})

test('the metadata Postgres that is killed comes back, and no session notices', async () => {
  const session = await load.openSession()
  const workers = gatewayProcesses(postern.pid)
  const control = controlProcess(postern.pid)
  const victim = postmaster(metadataHome())
  await kill(victim)
  expect(await isOpen(session)).toBe(true)
  await load.recovers()
  expect(postmaster(metadataHome())).not.toBe(victim)
  expect(await isOpen(session)).toBe(true)
  await session.end()
  // Nobody but the server itself was started again.
  expect(gatewayProcesses(postern.pid)).toEqual(workers)
  expect(controlProcess(postern.pid)).toBe(control)
  await load.verify(forge)
})

test('a backend of the metadata Postgres that is killed makes the server recover, and no session notices', async () => {
  const session = await load.openSession()
  const workers = gatewayProcesses(postern.pid)
  const { rows } = await forge.store.pool.query(
    `select pid from pg_stat_activity where application_name like 'postern gateway%' order by state_change desc limit 1`,
  )
  await kill(rows[0].pid)
  expect(await isOpen(session)).toBe(true)
  await load.recovers()
  expect(await isOpen(session)).toBe(true)
  await session.end()
  expect(gatewayProcesses(postern.pid)).toEqual(workers)
  await load.verify(forge)
})

test("a managed instance's Postgres that is killed comes back with everything that was committed", async () => {
  const session = await load.openSession()
  const victim = postmaster(instanceHome())
  await kill(victim)
  const ended = session.query('select pg_sleep(5)')
  await expect(ended).rejects.toThrow()
  await load.recovers()
  expect(postmaster(instanceHome())).not.toBe(victim)
  await load.verify(forge)
})

test('a part that keeps being killed is started again with growing pauses', async () => {
  const startedAt: number[] = []
  for (let round = 0; round < 4; round++) {
    await expect.poll(() => controlProcess(postern.pid), { timeout: 15_000, interval: 10 }).toBeDefined()
    startedAt.push(performance.now())
    await kill(controlProcess(postern.pid) as number)
  }
  const pauses = startedAt.slice(1).map((at, i) => at - (startedAt[i] as number))
  expect(pauses[2]).toBeGreaterThan((pauses[0] as number) + 200)
  await load.recovers()
})

test('after kill -9 of Postern no orphan answers a login, open sessions drain, and it starts again at once', async () => {
  const session = await load.openSession()
  const login = { ...load.login(), credential: await application.mintCredential('sample') }
  const orphans = descendants(postern.pid)
  const killed = postern
  killed.signal('SIGKILL')
  await killed.ended
  const attempt = () => openGatewaySession(killed, login).then(() => 'answered', failureCode)
  await expect.poll(attempt, { timeout: 1_000, interval: 20 }).toBe('ECONNREFUSED')
  expect(await isOpen(session)).toBe(true)
  await forge.close()

  await startOnSameData()
  await load.recovers()
  await load.verify(forge)
  await expect.poll(() => orphans.filter(isAlive), { timeout: 10_000 }).toEqual([])
})

test('SIGTERM drains: sessions live on, new logins are refused, the rest reads 57P01, and nothing is left', async () => {
  const [leaving, staying] = [await load.openSession(), await load.openSession()]
  await load.stop()
  await load.verify(forge)
  const { rows } = await forge.store.pool.query('show unix_socket_directories')
  const sockets = dirname(rows[0].unix_socket_directories)
  expect(existsSync(sockets)).toBe(true)
  await forge.close()
  const login = { ...load.login(), credential: await application.mintCredential('sample') }
  const everything = descendants(postern.pid)
  postern.signal('SIGTERM')
  await sleep(500)
  expect(await isOpen(leaving)).toBe(true)
  expect(await isOpen(staying)).toBe(true)
  expect(['57P03', 'ECONNREFUSED']).toContain(await openGatewaySession(postern, login).catch(failureCode))
  await leaving.end()
  const ended = new Promise((resolve) => staying.on('error', resolve))
  expect(await ended).toMatchObject({ code: '57P01' })
  expect(await postern.ended).toMatchObject({ code: 0 })
  expect(everything.filter(isAlive)).toEqual([])
  expect(existsSync(join(dataDir, 'lock'))).toBe(false)
  expect(existsSync(sockets)).toBe(false)
})
