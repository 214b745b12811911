import { createServer } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startFakeUpstream, type FakeUpstream } from '../../test/support/fake-upstream.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../../test/support/test-certificates.ts'
import { writeSslRequest } from '../pgwire/frontend-messages.ts'
import type { ByteSocket, TlsIdentity } from '../transport/byte-socket.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { AddressRules } from './address-rules.ts'
import { PLAIN_ROUTE, mayCarryRecoverablePassword, type DataSourceRoute } from './data-source-route.ts'
import { dial } from './dial.ts'

const open: FakeUpstream[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.stop()))
})

function routeTo(port: number, change: Partial<DataSourceRoute> = {}): DataSourceRoute {
  return {
    ...PLAIN_ROUTE,
    engine: 'postgres',
    host: '127.0.0.1',
    port,
    database: 'app',
    username: 'postern',
    loginMethod: 'password',
    tlsMode: 'verify-full',
    tlsCa: null,
    ...change,
  }
}

function dialTo(route: DataSourceRoute, timeoutMs = 2_000): Promise<ByteSocket> {
  return dial(route, { ...testDialer({ addressRules: AddressRules.create(['127.9.9.9']) }), secrets: {}, timeoutMs })
}

async function listening(answer?: Parameters<typeof startFakeUpstream>[0]): Promise<FakeUpstream> {
  const server = await startFakeUpstream(answer)
  open.push(server)
  return server
}

describe('the TLS request', () => {
  it('takes N for an answer: a database without TLS is not spoken to', async () => {
    const server = await listening((socket) => socket.write('N'))
    await expect(dialTo(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_TLS_REFUSED' })
    expect(server.received()).toEqual(Buffer.from(writeSslRequest()))
  })

  it('refuses bytes that were glued behind the S', async () => {
    const server = await listening((socket) => socket.write('SR\0\0\0\x08\0\0\0\0'))
    await expect(dialTo(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_PROTOCOL' })
    expect(server.received()).toEqual(Buffer.from(writeSslRequest()))
  })

  it.each(['HTTP/1.1 400 Bad Request\r\n', 'E\0\0\0\x08oops', 'SS', '5.5.5-10.11-MariaDB', 'X'])(
    'knows that %j is not Postgres',
    async (text) => {
      const server = await listening((socket) => socket.write(text))
      await expect(dialTo(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_PROTOCOL' })
    },
  )

  it('gives up on a server that says nothing', async () => {
    const server = await listening()
    await expect(dialTo(routeTo(server.port), 200)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })

  it('reports a server that hangs up', async () => {
    const server = await listening((socket) => socket.destroy())
    await expect(dialTo(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })

  it('is not sent where TLS is switched off by name', async () => {
    const server = await listening()
    const socket = await dialTo(routeTo(server.port, { tlsMode: 'disable' }))
    socket.destroy()
    expect(server.received()).toHaveLength(0)
  })
})

describe('where a dial may lead', () => {
  it.each([
    '169.254.169.254',
    '[::ffff:169.254.169.254]'.slice(1, -1),
    'fd00:ec2::254',
    '0.0.0.0',
    '127.9.9.9',
    '::ffff:127.9.9.9',
  ])('refuses %s before any socket is opened', async (host) => {
    await expect(dialTo(routeTo(1, { host }))).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
  })

  it('checks what a name resolves to, not how it is written', async () => {
    const rules = AddressRules.create(['127.0.0.0/8', '::1'])
    const server = await listening()
    const attempt = dial(routeTo(server.port, { host: 'localhost' }), {
      ...testDialer({ addressRules: rules }),
      secrets: {},
      timeoutMs: 2_000,
    })
    await expect(attempt).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(server.accepted).toBe(0)
  })

  it('tells an unknown name, a closed port and a missing socket apart, and names no resolved address', async () => {
    await expect(dialTo(routeTo(5432, { host: 'no-such-host.invalid' }))).rejects.toMatchObject({
      code: 'UPSTREAM_NAME_UNKNOWN',
    })
    const closed = await dialTo(routeTo(1, { host: 'localhost' })).catch((error: Error & { code: string }) => error)
    expect(closed).toMatchObject({ code: 'UPSTREAM_PORT_CLOSED' })
    expect((closed as Error).message).not.toMatch(/127|::1/)
    await expect(dialTo(routeTo(5432, { host: '/tmp/no-such-folder' }))).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
    })
    await expect(dialTo(routeTo(5432, { host: `/tmp/${'x'.repeat(100)}` }))).rejects.toThrow(/longer than 107 bytes/)
  })
})

describe('passwords that could be used again', () => {
  it.each<[boolean, Partial<DataSourceRoute>]>([
    [true, { tlsMode: 'verify-full' }],
    [true, { tlsMode: 'verify-ca', tlsCa: 'pem' }],
    [false, { tlsMode: 'verify-ca', tlsCa: null }],
    [false, { tlsMode: 'require' }],
    [false, { tlsMode: 'disable' }],
    [false, { tlsMode: 'verify-full', host: '/run/postgres' }],
  ])('%s for %j', (expected, change) => {
    expect(mayCarryRecoverablePassword(routeTo(5432, change))).toBe(expected)
  })
})

describeWith(['openssl'], 'TLS is verified as the route says', () => {
  let authority: TestAuthority
  let stranger: TestAuthority
  beforeAll(() => {
    authority = createTestAuthority('Upstream authority')
    stranger = createTestAuthority('Another authority')
    return () => {
      authority.remove()
      stranger.remove()
    }
  })

  /** Speaks TLS after SSLRequest with a certificate, and echoes nothing. */
  async function tlsServer(identity: TlsIdentity): Promise<FakeUpstream> {
    const tls = createServer({ cert: identity.certificateChainPem, key: identity.privateKeyPem })
    tls.on('tlsClientError', () => undefined)
    const begun = new WeakSet()
    const server = await startFakeUpstream((socket, chunk) => {
      if (begun.has(socket) || chunk.length !== 8) return
      begun.add(socket)
      socket.removeAllListeners('data')
      tls.emit('connection', socket)
      socket.write('S')
    })
    open.push(server)
    return server
  }

  it.each<[string, Partial<DataSourceRoute>, { names: string[]; days?: number; by?: 'stranger' }, string]>([
    ['full, right name', { host: 'localhost' }, { names: ['localhost'] }, 'ok'],
    ['full, right address', {}, { names: ['127.0.0.1'] }, 'ok'],
    ['full, wrong name', { host: 'localhost' }, { names: ['db.example.test'] }, 'WRONG_NAME'],
    ['full, name instead of address', {}, { names: ['localhost'] }, 'WRONG_NAME'],
    ['full, wrong authority', { host: 'localhost' }, { names: ['localhost'], by: 'stranger' }, 'UNTRUSTED'],
    ['full, expired', { host: 'localhost' }, { names: ['localhost'], days: -1 }, 'EXPIRED'],
    ['full, public authorities', { host: 'localhost', tlsCa: null }, { names: ['localhost'] }, 'UNTRUSTED'],
    ['ca, wrong name', { tlsMode: 'verify-ca' }, { names: ['db.example.test'] }, 'ok'],
    ['ca, wrong authority', { tlsMode: 'verify-ca' }, { names: ['127.0.0.1'], by: 'stranger' }, 'UNTRUSTED'],
    ['ca, expired', { tlsMode: 'verify-ca' }, { names: ['127.0.0.1'], days: -1 }, 'EXPIRED'],
    [
      'require, wrong everything',
      { tlsMode: 'require', tlsCa: null },
      { names: ['db.example.test'], by: 'stranger' },
      'ok',
    ],
  ])('%s', async (_, change, { names, days, by }, expected) => {
    const server = await tlsServer((by === 'stranger' ? stranger : authority).issue(names, days))
    const attempt = dialTo(routeTo(server.port, { tlsCa: authority.caPem, ...change }))
    if (expected === 'ok') {
      const socket = await attempt
      socket.destroy()
    } else {
      await expect(attempt).rejects.toMatchObject({ code: `UPSTREAM_TLS_${expected}` })
    }
  })
})
