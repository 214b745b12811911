import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { startFakeUpstream, type FakeUpstream } from '../../test/support/fake-upstream.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { openLoopback, type LoopbackEndpoint } from './open-loopback.ts'
import type { DataSourceRoute } from './data-source-route.ts'

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

async function upstream(): Promise<FakeUpstream> {
  const server = await startFakeUpstream((socket, chunk) => socket.write(`echo ${chunk.toString()}`))
  opened.push({ close: () => server.stop() })
  return server
}

async function open(route: DataSourceRoute): Promise<LoopbackEndpoint> {
  const endpoint = await openLoopback(route, { ...testDialer(), secrets: {}, timeoutMs: 2_000 })
  opened.push(endpoint)
  return endpoint
}

/** What comes back for a text; empty when the port is closed without an answer. */
function ask(port: number, question: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(''))
    socket.on('close', () => resolve(''))
    socket.once('data', (chunk) => {
      resolve(chunk.toString())
      socket.destroy()
    })
    socket.write(question)
  })
}

describe('a loopback endpoint', () => {
  it('leads to its data source, each socket dialled anew', async () => {
    const server = await upstream()
    const endpoint = await open(testRoute(server.port))
    expect(server.accepted).toBe(1)
    expect(await ask(endpoint.port, 'one')).toBe('echo one')
    expect(await ask(endpoint.port, 'two')).toBe('echo two')
    expect(server.accepted).toBe(2)
  })

  it('fails at once where the data source cannot be reached', async () => {
    await expect(open(testRoute(1))).rejects.toMatchObject({ code: 'UPSTREAM_PORT_CLOSED' })
  })

  it('says why a later socket could not be passed on', async () => {
    const server = await upstream()
    const endpoint = await open(testRoute(server.port))
    await ask(endpoint.port, 'one')
    await server.stop()
    expect(await ask(endpoint.port, 'two')).toBe('')
    expect(endpoint.failure()).toMatchObject({ code: 'UPSTREAM_PORT_CLOSED' })
  })

  it.runIf(process.platform === 'linux')('is closed to other processes', async () => {
    const server = await upstream()
    const endpoint = await open(testRoute(server.port))
    const script = `exec 3<>/dev/tcp/127.0.0.1/${endpoint.port}; echo stranger >&3; head -c 4 <&3 || true`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { timeout: 5_000 }).catch(() => ({
      stdout: '',
    }))
    expect(stdout).toBe('')
    expect(server.received().toString()).toBe('')
    expect(await ask(endpoint.port, 'own')).toBe('echo own')
  })

  it('closes with everything that goes through it', async () => {
    const server = await upstream()
    const endpoint = await open(testRoute(server.port))
    const socket = connect(endpoint.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => undefined)
    await new Promise((resolve) => {
      socket.once('data', resolve)
      socket.write('open')
    })
    await endpoint.close()
    await closed
    expect(await ask(endpoint.port, 'late')).toBe('')
  })
})

describeWith(['openssl'], 'a loopback endpoint of a data source with TLS', () => {
  it('ends TLS itself, verified against the host of the route', async () => {
    const authority = createTestAuthority('Loopback authority')
    const { certificateChainPem, privateKeyPem } = authority.issue(['localhost'])
    const server = createServer({ cert: certificateChainPem, key: privateKeyPem }, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => socket.write(`secured ${chunk.toString()}`))
    })
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push({ close: () => server.close() }, { close: () => authority.remove() })
    const { port } = server.address() as AddressInfo
    const route = testRoute(port, { host: 'localhost', tlsMode: 'verify-full', tlsCa: authority.caPem })
    const endpoint = await open(route)
    expect(await ask(endpoint.port, 'text')).toBe('secured text')
    await expect(open({ ...route, host: '127.0.0.1' })).rejects.toMatchObject({ code: 'UPSTREAM_TLS_WRONG_NAME' })
  })
})
