import { createServer } from 'node:tls'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { startFakeUpstream, type FakeUpstream } from '../../test/support/fake-upstream.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import { transports } from '../transport/transports.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { dialForStartTls, type StartTlsStream } from './dial-for-start-tls.ts'
import type { DialOptions } from './dial-options.ts'

describeWith(['openssl'], 'TLS on the word of a driver', () => {
  let authority: TestAuthority
  let stranger: TestAuthority
  const opened: FakeUpstream[] = []
  beforeAll(() => {
    authority = createTestAuthority('StartTLS authority')
    stranger = createTestAuthority('Another authority')
    return () => {
      authority.remove()
      stranger.remove()
    }
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.stop()))
  })

  /** Answers `go` in the clear with `yes`, then TLS, and inside it says whom it sees. */
  async function server(identity: TlsIdentity, clientCa?: string): Promise<FakeUpstream> {
    const tls = createServer(
      {
        cert: identity.certificateChainPem,
        key: identity.privateKeyPem,
        ...(clientCa !== undefined && { ca: clientCa, requestCert: true }),
      },
      (socket) => {
        socket.on('error', () => undefined)
        socket.write(`inside, ${String(socket.getPeerCertificate()?.subject?.CN ?? 'nobody')}`)
      },
    )
    tls.on('tlsClientError', () => undefined)
    const begun = new WeakSet()
    const fake = await startFakeUpstream((socket, chunk) => {
      if (begun.has(socket) || chunk.toString() !== 'go') return
      begun.add(socket)
      socket.removeAllListeners('data')
      tls.emit('connection', socket)
      socket.write('yes')
    })
    opened.push(fake)
    return fake
  }

  function dialTo(route: DataSourceRoute, options: Partial<DialOptions> = {}): Promise<StartTlsStream> {
    return dialForStartTls(route, { ...testDialer(), secrets: {}, timeoutMs: 2_000, ...options })
  }

  async function securedText({ stream, tls }: StartTlsStream): Promise<string> {
    stream.write('go')
    await new Promise((resolve) => stream.once('data', resolve))
    const secured = await tls!.secure()
    const text = await new Promise<string>((resolve) =>
      secured.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    )
    const closed = new Promise((resolve) => stream.once('close', resolve))
    secured.destroy()
    await closed
    return text
  }

  it.each(Object.values(transports))('shows the client certificate and tells its stages ($name)', async (transport) => {
    const { port } = await server(authority.issue(['localhost']), authority.caPem)
    const client = authority.issue(['client.test'])
    const stages: [string, unknown][] = []
    const route = testRoute(port, {
      host: 'localhost',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      tlsClientCertificate: client.certificateChainPem,
    })
    const dialled = await dialTo(route, {
      transport,
      secrets: { tlsClientKey: new Secret(client.privateKeyPem) },
      onStage: (stage, detail) => stages.push([stage, detail?.['names']]),
    })
    expect(await securedText(dialled)).toBe('inside, client.test')
    expect(stages).toEqual([
      ['name', undefined],
      ['tcp', undefined],
      ['tls', ['localhost']],
    ])
  })

  it.each<[string, Partial<DataSourceRoute>, { names: string[]; by?: 'stranger' }, string]>([
    ['verify-full, right name', { host: 'localhost' }, { names: ['localhost'] }, 'ok'],
    ['verify-full, right address', {}, { names: ['127.0.0.1'] }, 'ok'],
    ['verify-full, name instead of address', {}, { names: ['localhost'] }, 'UPSTREAM_TLS_WRONG_NAME'],
    ['verify-full, wrong name', { host: 'localhost' }, { names: ['db.test'] }, 'UPSTREAM_TLS_WRONG_NAME'],
    ['verify-ca, wrong name', { tlsMode: 'verify-ca' }, { names: ['db.test'] }, 'ok'],
    [
      'verify-ca, wrong authority',
      { tlsMode: 'verify-ca' },
      { names: ['db.test'], by: 'stranger' },
      'UPSTREAM_TLS_UNTRUSTED',
    ],
    ['require, all wrong', { tlsMode: 'require', tlsCa: null }, { names: ['db.test'], by: 'stranger' }, 'ok'],
  ])('is verified as the route says: %s', async (_, change, { names, by }, expected) => {
    const { port } = await server((by === 'stranger' ? stranger : authority).issue(names))
    const dialled = await dialTo(testRoute(port, { tlsMode: 'verify-full', tlsCa: authority.caPem, ...change }))
    if (expected === 'ok') expect(await securedText(dialled)).toBe('inside, nobody')
    else await expect(securedText(dialled)).rejects.toMatchObject({ code: expected })
  })

  it('is not offered where the route has none', async () => {
    const fake = await server(authority.issue(['localhost']))
    const { stream, tls } = await dialTo(testRoute(fake.port))
    expect(tls).toBeUndefined()
    stream.destroy()
  })

  it('ends with the attempt', async () => {
    const fake = await server(authority.issue(['localhost']))
    const stop = new AbortController()
    const route = testRoute(fake.port, { tlsMode: 'verify-full', tlsCa: authority.caPem })
    const { stream, tls } = await dialTo(route, { signal: stop.signal })
    const closed = new Promise((resolve) => stream.once('close', resolve))
    stream.write('something else')
    const securing = tls!.secure()
    stop.abort()
    await expect(securing).rejects.toMatchObject({ code: 'CANCELLED' })
    stream.destroy()
    await closed
  })
})
