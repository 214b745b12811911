import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openGatewaySession } from '../support/gateway-session.ts'
import { gatewayProcesses } from '../support/processes.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

let postern: RunningPostern<DemoReadyFile>
let url: string
beforeAll(async () => {
  const metricsPort = await freePort()
  url = `http://127.0.0.1:${metricsPort}/metrics`
  postern = await startDemo({ flags: ['--metrics-port', String(metricsPort), '--gateway-workers', '2'] })
})
afterAll(() => postern?.stop())

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** The sum of a figure over its labels that contain `labels`; undefined when there is none. */
async function figure(name: string, labels = ''): Promise<number | undefined> {
  const text = await (await fetch(url)).text()
  const lines = text.split('\n').filter((line) => new RegExp(`^${name}(\\{| )`).test(line) && line.includes(labels))
  return lines.length === 0 ? undefined : lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

test('Prometheus reads the figures of every process at one address', async () => {
  const { clientId, clientSecret } = postern.ready.servicePrincipal
  const credential = await (await postern.asServicePrincipal(clientId, clientSecret)).mintCredential('sample')
  const login = { instance: 'sample', user: clientId, database: postern.ready.database }
  const before = (await figure('postern_logins_total', 'outcome="allowed"')) ?? 0
  const sessions = []
  for (let i = 0; i < 6; i++) sessions.push(await openGatewaySession(postern, { ...login, credential }))
  await openGatewaySession(postern, { ...login, credential: 'wrong' }).catch(() => undefined)
  expect(await figure('postern_sessions')).toBe(6)
  expect(await figure('postern_logins_total', 'outcome="allowed"')).toBe(before + 6)
  expect(await figure('postern_logins_total', 'outcome="denied"')).toBe(1)
  expect(await figure('postern_login_seconds_count')).toBe(before + 6)
  expect(await figure('postern_login_store_seconds_count')).toBeGreaterThanOrEqual(6)
  expect(await figure('postern_relayed_bytes_total', 'from="databases"')).toBeGreaterThan(0)
  expect(await figure('postern_audit_spool_bytes')).toBe(0)
  const minted = 'method="POST",route="/api/2.0/database/credentials",status="2xx"'
  expect(await figure('postern_http_request_seconds_count', minted)).toBeGreaterThanOrEqual(1)
  const text = await (await fetch(url)).text()
  expect(new Set(text.match(/worker="\d+"/g))).toEqual(new Set(['worker="1"', 'worker="2"']))
  await Promise.all(sessions.map((session) => session.end()))
  await expect.poll(() => figure('postern_sessions')).toBe(0)
})

test('no figure names anybody, whatever was asked for', async () => {
  const { httpUrl, servicePrincipal, adminEmail } = postern.ready
  for (const path of ['/v1/instances/sample', '/v1/instances/hidden-name', '/nothing/hidden-path']) {
    await fetch(`${httpUrl}${path}?hidden=query`)
  }
  await openGatewaySession(postern, {
    instance: 'hidden-name',
    user: 'hidden-user',
    database: 'hidden-db',
    credential: 'wrong',
  }).catch(() => undefined)
  const text = await (await fetch(url)).text()
  expect(text).toContain('route="none"')
  for (const name of ['hidden', 'sample', servicePrincipal.clientId, adminEmail]) expect(text).not.toContain(name)
})

test('a worker that hangs is left out, and one that is killed comes back', async () => {
  const [victim] = gatewayProcesses(postern.pid)
  process.kill(victim as number, 'SIGSTOP')
  try {
    const text = await (await fetch(url)).text()
    expect(new Set(text.match(/worker="\d+"/g)).size).toBe(1)
  } finally {
    process.kill(victim as number, 'SIGKILL')
  }
  const workers = async () => new Set((await (await fetch(url)).text()).match(/worker="\d+"/g)).size
  await expect.poll(workers, { timeout: 10_000 }).toBe(2)
})

test('nothing else is served there, and nothing of it on the address of the API', async () => {
  for (const path of ['/', '/v1/instances', '/metrics?x=1']) {
    expect((await fetch(new URL(path, url))).status, path).toBe(404)
  }
  expect((await fetch(url, { method: 'POST' })).status).toBe(404)
  expect((await fetch(`${postern.ready.httpUrl}/metrics`)).status).toBe(404)
})
