import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { openGatewaySession } from '../support/gateway-session.ts'
import { descendants, isAlive, postmaster } from '../support/processes.ts'
import { type DemoReadyFile, type RunningPostern, startDemo, temporaryFolder } from '../support/running-postern.ts'
import { startProgram } from '../support/running-program.ts'

/** Ending Postern while parts of it hang: docs/guide/run-postern.md says how long that may take, and nothing may be left. */
const dataDir = temporaryFolder('data-')
const drainSeconds = 1
/** What the guide promises beside the draining. */
const stopLimitMs = 60_000
let postern: RunningPostern<DemoReadyFile> | undefined
let everything: number[] = []

afterAll(() => rmSync(dataDir, { recursive: true, force: true }))
afterEach(async () => {
  await postern?.stop(0)
  for (const pid of everything.splice(0)) end(pid)
})

async function start(drainTimeoutSeconds = drainSeconds): Promise<RunningPostern<DemoReadyFile>> {
  postern = await startDemo({ dataDir, flags: ['--drain-timeout-seconds', String(drainTimeoutSeconds)] })
  everything = descendants(postern.pid)
  return postern
}

const metadataHome = () => join(dataDir, 'metadata')
const instanceHome = () => {
  const instances = join(dataDir, 'instances')
  return join(instances, readdirSync(instances)[0] as string)
}

/** Stops a server with all its processes, or those alone that serve sessions. */
function freeze(home: string, which: 'server' | 'backends' = 'server'): void {
  const server = postmaster(home)
  const children = descendants(server)
  const frozen = which === 'server' ? [server, ...children] : children.filter(servesASession)
  expect(frozen).not.toEqual([])
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
}

function servesASession(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('[local]')
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: as it should be.
  }
}

/** Sends a signal, and waits for the end as long as was promised. */
async function endsBy(signal: NodeJS.Signals, limitMs = drainSeconds * 1000 + stopLimitMs): Promise<void> {
  const running = postern as RunningPostern<DemoReadyFile>
  const late = setTimeout(() => end(running.pid), limitMs)
  running.signal(signal)
  const { code, signal: endedBy } = await running.ended
  clearTimeout(late)
  expect({ code, endedBy }).toEqual({ code: 0, endedBy: null })
  await expect.poll(() => everything.filter(isAlive), { timeout: 2_000 }).toEqual([])
}

test('while the metadata server hangs', async () => {
  await start()
  freeze(metadataHome())
  await endsBy('SIGTERM')
})

test('while the sessions of the metadata server hang, and the next start finds everything in order', async () => {
  await start()
  freeze(metadataHome(), 'backends')
  await endsBy('SIGTERM')
  await start()
  await endsBy('SIGTERM')
})

test('while a managed instance hangs, with a client in it', async () => {
  const running = await start()
  const { clientId, clientSecret } = running.ready.servicePrincipal
  const credential = await (await running.asServicePrincipal(clientId, clientSecret)).mintCredential('sample')
  const login = { instance: 'sample', user: clientId, credential, database: running.ready.database }
  const session = await openGatewaySession(running, login)
  const lost = new Promise((resolve) => session.on('error', resolve))
  everything.push(...descendants(running.pid))
  freeze(instanceHome())
  await endsBy('SIGTERM')
  expect(await lost).toMatchObject({ code: '57P01' })
})

test('while everything hangs that can hang', async () => {
  await start()
  freeze(instanceHome())
  freeze(metadataHome())
  await endsBy('SIGINT')
})

test('a second signal ends the draining: sessions read why, their ends are recorded, and later signals change nothing', async () => {
  const running = await start(600)
  const { clientId, clientSecret } = running.ready.servicePrincipal
  const credential = await (await running.asServicePrincipal(clientId, clientSecret)).mintCredential('sample')
  const login = { instance: 'sample', user: clientId, credential, database: running.ready.database }
  const session = await openGatewaySession(running, login)
  const lost = new Promise((resolve) => session.on('error', resolve))
  everything.push(...descendants(running.pid))
  running.signal('SIGTERM')
  await expect.poll(() => openGatewaySession(running, login).catch(({ code }) => code)).toBe('ECONNREFUSED')
  const { rows } = await session.query('select pg_backend_pid() as pid')
  running.signal('SIGINT')
  running.signal('SIGTERM')
  await endsBy('SIGINT')
  expect(await lost).toMatchObject({ code: '57P01' })
  const admin = await (await start()).asAdmin()
  const { body } = await admin.send('GET', '/v1/auditEvents?action=session.end')
  const { auditEvents } = body as { auditEvents: { detail: { upstreamPid: number } }[] }
  expect(auditEvents.map(({ detail }) => detail.upstreamPid)).toContain(rows[0].pid)
  await endsBy('SIGTERM')
})

test('during a start that does not get on', async () => {
  const launcher = join(import.meta.dirname, '../../bin/postern')
  const flags = ['--data-dir', dataDir, '--http-port', '0', '--gateway-port', '0', '--log-level', 'error']
  const program = startProgram(launcher, ['serve', ...flags], { env: {}, timeoutMs: 60_000 })
  await expect.poll(() => runningPostmaster(), { timeout: 20_000, interval: 1 }).toBeDefined()
  process.kill(runningPostmaster() as number, 'SIGSTOP')
  everything = descendants(program.pid)
  program.signal('SIGTERM')
  expect(await program.ended).toMatchObject({ code: 0 })
  await expect.poll(() => everything.filter(isAlive), { timeout: 2_000 }).toEqual([])
})

function runningPostmaster(): number | undefined {
  try {
    return postmaster(metadataHome())
  } catch {
    return undefined
  }
}
