import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startFakeUpstream } from '../../test/support/fake-upstream.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { startTlsServer } from '../../test/support/tls-server.ts'
import { identifyListener, type ListenerKind } from './identify-listener.ts'

const opened: { stop(): unknown }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.stop()
})

function identify(port: number): Promise<ListenerKind> {
  return identifyListener(testRoute(port), { ...testDialer(), secrets: {}, timeoutMs: 3_000 })
}

describe('what listens where a driver failed', () => {
  it('is known by its greeting', async () => {
    const greetings = [
      ['ssh', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
      ['mysql', Buffer.from([6, 0, 0, 0, 10, 0x35, 0x2e, 0x35, 0, 0])],
      ['mysql', Buffer.from([5, 0, 0, 0, 0xff, 1, 2, 3, 4])],
    ] as const
    for (const [kind, bytes] of greetings) {
      const { createServer: listen } = await import('node:net')
      const server = listen((socket) => socket.on('error', () => undefined).write(bytes))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      expect(await identify((server.address() as AddressInfo).port)).toBe(kind)
      server.close()
    }
  })

  it('is known by its answer to HTTP', async () => {
    const web = createServer((_request, response) => response.writeHead(404).end())
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
    opened.push({ stop: () => web.close() })
    expect(await identify((web.address() as AddressInfo).port)).toBe('http')
    const native = await startFakeUpstream((socket) =>
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nPort 9000 is for clickhouse-client program.\r\n'),
    )
    opened.push(native)
    expect(await identify(native.port)).toBe('clickhouse-native')
  })

  it('is unknown where nothing answers, or nothing that we know', async () => {
    expect(await identify(1)).toBe('unknown')
    const closing = await startFakeUpstream((socket) => socket.destroy())
    opened.push(closing)
    expect(await identify(closing.port)).toBe('unknown')
    // Nothing of the data source was sent.
    expect(closing.received().toString('latin1')).not.toContain('postern')
  })
})

describeWith(['openssl'], 'TLS where a driver failed', () => {
  it('is known by its handshake', async () => {
    const authority = createTestAuthority('Listener authority')
    const server = await startTlsServer(authority.issue(['localhost']))
    authority.remove()
    opened.push(server)
    expect(await identify(server.port)).toBe('tls')
  })
})
