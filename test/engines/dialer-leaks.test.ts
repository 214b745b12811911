import { readdirSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { noCloudLogins } from '../../src/dialer/cloud-logins.ts'
import type { DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import { dial } from '../../src/dialer/dial.ts'
import { dialForStartTls } from '../../src/dialer/dial-for-start-tls.ts'
import type { DialOptions } from '../../src/dialer/dial-options.ts'
import { dialPlain } from '../../src/dialer/dial-plain.ts'
import { openHttp } from '../../src/dialer/open-http.ts'
import { openLoopback } from '../../src/dialer/open-loopback.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { describeWith } from '../support/requirements.ts'
import { startStartTlsUpstream } from '../support/start-tls-upstream.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'
import { startTlsServer } from '../support/tls-server.ts'

const OPENS = 1_000
const AT_ONCE = 20

describeWith(['openssl'], 'every way to a database, a thousand times', () => {
  let authority: TestAuthority
  let stranger: TestAuthority
  let client: TlsIdentity
  let echo: Server
  let startTls: { readonly port: number; stop(): Promise<void> }
  let tls: { readonly port: number; stop(): Promise<void> }
  const sockets = new Set<Socket>()

  beforeAll(async () => {
    authority = createTestAuthority('Leak authority')
    stranger = createTestAuthority('Another authority')
    client = authority.issue(['client.test'])
    echo = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
      socket.on('data', (chunk) =>
        socket.write(chunk.toString().startsWith('GET') ? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok' : chunk),
      )
    })
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    tls = await startTlsServer(authority.issue(['localhost']))
    startTls = await startStartTlsUpstream('postgres', tls.port)
  })
  afterAll(async () => {
    await startTls.stop()
    await tls.stop()
    await new Promise((resolve) => echo.close(resolve))
    authority.remove()
    stranger.remove()
  })

  const plain = (): DataSourceRoute => testRoute((echo.address() as AddressInfo).port)
  const secured = (port: number): DataSourceRoute =>
    testRoute(port, { host: 'localhost', tlsMode: 'verify-full', tlsCa: authority.caPem })

  const named = (): DataSourceRoute =>
    testRoute(5432, { host: 'shop-prod:europe-west3:orders', loginMethod: 'gcp_iam', tlsMode: 'verify-full' })
  const inCloud = (options: DialOptions, commonName: string): DialOptions => {
    const { certificateChainPem, privateKeyPem } = client
    const shown = { certificatePem: certificateChainPem, privateKey: new Secret(privateKeyPem) }
    const way = {
      host: '127.0.0.1',
      port: tls.port,
      tls: { ...shown, serverName: undefined, caPem: authority.caPem, verify: 'chain', minVersion: 'TLSv1.3' },
      commonName,
      reject() {},
    } as const
    return { ...options, cloudLogins: { ...noCloudLogins, wayTo: () => Promise.resolve(way) } }
  }

  const ways: [string, (options: DialOptions) => Promise<unknown>][] = [
    ['dial with TLS', async (options) => (await dial(secured(startTls.port), options)).destroy()],
    [
      'dial that refuses the certificate',
      (options) =>
        expect(dial({ ...secured(startTls.port), tlsCa: stranger.caPem }, options)).rejects.toMatchObject({
          code: 'UPSTREAM_TLS_UNTRUSTED',
        }),
    ],
    ['dial to Cloud SQL', async (options) => (await dial(named(), inCloud(options, 'localhost'))).destroy()],
    [
      'dial to Cloud SQL that finds another instance',
      (options) =>
        expect(dial(named(), inCloud(options, 'shop-prod:orders'))).rejects.toMatchObject({
          code: 'UPSTREAM_TLS_WRONG_NAME',
        }),
    ],
    ['dialPlain', async (options) => (await dialPlain(plain(), options)).destroy()],
    [
      'dialPlain to a closed port',
      (options) => expect(dialPlain(testRoute(1), options)).rejects.toMatchObject({ code: 'UPSTREAM_PORT_CLOSED' }),
    ],
    [
      'dial that is cancelled',
      async (options) => {
        const stop = new AbortController()
        const attempt = dial(secured(startTls.port), { ...options, signal: stop.signal })
        setImmediate(() => stop.abort())
        await attempt.then(
          (socket) => socket.destroy(),
          (error: unknown) => expect(error).toMatchObject({ code: 'CANCELLED' }),
        )
      },
    ],
    [
      'dialForStartTls',
      async (options) => {
        const { stream, tls: begin } = await dialForStartTls(secured(tls.port), options)
        const inside = await begin!.secure()
        const closed = new Promise((resolve) => stream.once('close', resolve))
        inside.destroy()
        await closed
      },
    ],
    [
      'openHttp',
      async (options) => {
        const http = await openHttp(plain(), options)
        const answer = await http.request({ method: 'GET', path: '/', signal: new AbortController().signal })
        for await (const _ of answer.body);
        await http.close()
      },
    ],
    ['openHttp over TLS', async (options) => (await openHttp(secured(tls.port), options)).close()],
    [
      'openLoopback',
      async (options) => {
        const endpoint = await openLoopback(plain(), options)
        await new Promise((resolve) => {
          const socket = connect(endpoint.port, '127.0.0.1', () => socket.write('x'))
          socket.once('data', () => {
            resolve(undefined)
            socket.destroy()
          })
          socket.on('error', resolve)
        })
        await endpoint.close()
      },
    ],
    ['openLoopback over TLS', async (options) => (await openLoopback(secured(tls.port), options)).close()],
  ]

  it.runIf(process.platform === 'linux').each(ways)(
    '%s leaves no socket, handle or listener behind',
    async (_, open) => {
      const options: DialOptions = { ...testDialer(), secrets: {}, timeoutMs: 30_000 }
      for (let index = 0; index < 5; index += 1) await open(options)
      await expect.poll(() => sockets.size, { timeout: 10_000 }).toBe(0)
      let before = descriptors()
      // What the first ones left to the runtime's own leisure is gone first.
      await expect.poll(() => before === (before = descriptors()), { interval: 300, timeout: 10_000 }).toBe(true)
      for (let done = 0; done < OPENS; done += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, () => open(options)))
      }
      await expect.poll(() => sockets.size, { timeout: 10_000 }).toBe(0)
      await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before + 2)
    },
    120_000,
  )
})

/** Sockets and listeners of this process are among them. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}
