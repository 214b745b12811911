import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { failureCode, openGatewaySession } from '../support/gateway-session.ts'
import { descendants, gatewayProcesses, postmaster } from '../support/processes.ts'
import { type DemoReadyFile, type RunningPostern, startDemo, temporaryFolder } from '../support/running-postern.ts'
import { ask, spooled, waitUntilReady, waitUntilShipped } from './external-store.ts'

/** Postern's own metadata Postgres, hung: every process of it stopped with SIGSTOP. */
const dataDir = temporaryFolder('data-')
let postern: RunningPostern<DemoReadyFile>
let application: ControlPlane
let frozen: number[] = []

beforeAll(startOnSameData)
afterAll(async () => {
  await postern?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})
afterEach(thaw)

async function startOnSameData(): Promise<void> {
  postern = await startDemo({ dataDir, flags: ['--drain-timeout-seconds', '2'] })
  const { clientId, clientSecret } = postern.ready.servicePrincipal
  application = await postern.asServicePrincipal(clientId, clientSecret)
}

/** @param which the whole server, or what serves Postern's sessions: then it still accepts new ones */
function freeze(which: 'server' | 'backends'): void {
  const server = postmaster(join(postern.dataDir, 'metadata'))
  const children = descendants(server)
  frozen = which === 'server' ? [server, ...children] : children.filter(servesASession)
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
}

/** Postgres writes into the title of a process whom it serves. */
function servesASession(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postern [local]')
}

function thaw(): void {
  for (const pid of frozen.splice(0)) {
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // ESRCH: the session was cut meanwhile and its backend has ended.
    }
  }
}

function logIn(credential: string): Promise<pg.Client> {
  const { database, servicePrincipal } = postern.ready
  return openGatewaySession(postern, { instance: 'sample', user: servicePrincipal.clientId, credential, database })
}

test('while the whole server hangs, sessions and known logins go on, and all recovers once it goes on', async () => {
  const credential = await application.mintCredential('sample')
  const session = await logIn(credential)
  const workers = gatewayProcesses(postern.pid)
  freeze('server')
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await (await logIn(credential)).end()
  expect(spooled(postern)).not.toEqual([])
  expect(await ask(postern, '/readyz')).toMatchObject({ status: 503, body: { problem: 'STORE_UNAVAILABLE' } })
  const list = await ask(postern, '/v1/instances', application.accessToken)
  expect(list).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } })
  thaw()
  await recovers()
  expect((await session.query('select 2 as two')).rows).toEqual([{ two: 2 }])
  await session.end()
  expect(gatewayProcesses(postern.pid)).toEqual(workers)
})

test('a managed instance that crashes meanwhile is started again without waiting for the store', async () => {
  const credential = await application.mintCredential('sample')
  await (await logIn(credential)).end()
  freeze('server')
  const instances = join(postern.dataDir, 'instances')
  const home = join(instances, readdirSync(instances)[0] as string)
  const crashed = postmaster(home)
  process.kill(crashed, 'SIGKILL')
  const login = () =>
    logIn(credential).then(
      (session) => session.end().then(() => 'session'),
      (error: unknown) => failureCode(error),
    )
  await expect.poll(login, { timeout: 15_000, interval: 200 }).toBe('session')
  expect(postmaster(home)).not.toBe(crashed)
  expect(spooled(postern)).not.toEqual([])
  thaw()
  await recovers()
  const admin = await postern.asAdmin()
  const state = async () => ((await admin.send('GET', '/v1/instances/sample')).body as { state: string }).state
  await expect.poll(state, { timeout: 15_000 }).toBe('AVAILABLE')
})

test('backends that hang are cut and replaced: nobody has to bring them back', async () => {
  const credential = await application.mintCredential('sample')
  const session = await logIn(credential)
  // None of them in the middle of a statement: it would go on holding its locks.
  await sleep(300)
  freeze('backends')
  await (await logIn(credential)).end()
  await recovers()
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await session.end()
})

async function recovers(): Promise<void> {
  await waitUntilReady(postern)
  await waitUntilShipped(postern)
  await expect.poll(() => application.mintCredential('sample').catch(failureCode), { timeout: 15_000 }).toContain('.')
}
