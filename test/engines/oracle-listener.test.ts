import buffers from 'oracledb/lib/impl/datahandlers/buffer.js'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { AddressRules } from '../../src/dialer/address-rules.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { OpenOptions } from '../../src/engines/engine.ts'
import { openOracleConnection } from '../../src/engines/oracle/driver.ts'
import { describeWith } from '../support/requirements.ts'
import { createTestAuthority } from '../support/test-certificates.ts'
import { startFakeTnsListener, type FakeTnsListener, type TnsBehaviour } from '../support/fake-tns-listener.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { testDialer } from '../support/test-dialer.ts'

const NO_THIEF = testDialer({ addressRules: AddressRules.create(['127.0.0.2/32']) })

describe('Oracle driver against a listener', () => {
  const listeners: FakeTnsListener[] = []
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.stop()
  })

  async function listen(behaviour: TnsBehaviour, host?: string, tls?: TlsIdentity): Promise<FakeTnsListener> {
    const listener = await startFakeTnsListener(behaviour, host, tls)
    listeners.push(listener)
    return listener
  }

  function open(
    port: number,
    options: Partial<OpenOptions> = {},
    parts: Partial<DataSourceRoute> = {},
  ): Promise<unknown> {
    const route: DataSourceRoute = {
      ...PLAIN_ROUTE,
      engine: 'oracle',
      host: '127.0.0.1',
      port,
      database: '',
      username: 'POSTERN',
      loginMethod: 'password',
      tlsMode: 'disable',
      fields: { serviceName: 'orders.test' },
      ...parts,
    }
    const secrets = { password: new Secret('tiger') }
    return openOracleConnection(route, route.fields, { dialer: NO_THIEF, secrets, timeoutMs: 5000, ...options })
  }

  it.each([
    [12_514, 'DATABASE_NOT_FOUND', 'ORA-12514'],
    [12_505, 'DATABASE_NOT_FOUND', 'ORA-12505'],
    [12_528, 'UPSTREAM_UNREACHABLE', 'ORA-12528'],
    [12_519, 'UPSTREAM_FAILED', 'ORA-12519'],
  ])('explains the refusal ORA-%i', async (refuse, code, number) => {
    const listener = await listen({ refuse })
    await expect(open(listener.port)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(number) as string,
    })
    expect(listener.connects[0]).toContain('(SERVICE_NAME=orders.test)')
    expect(listener.connects[0]).not.toContain('tiger')
  })

  it('asks for a SID where the data source names one', async () => {
    const listener = await listen({ refuse: 12_505 })
    await expect(open(listener.port, {}, { fields: { sid: 'ORCL' } })).rejects.toMatchObject({
      code: 'DATABASE_NOT_FOUND',
    })
    expect(listener.connects[0]).toContain('(SID=ORCL)')
  })

  it.each([false, true])(
    'dials a redirect anew, once, by the dialer (data in a packet of its own: %s)',
    async (isSplit) => {
      const second = await listen({ refuse: 12_514 })
      const redirect = `(ADDRESS=(PROTOCOL=tcp)(HOST=localhost)(PORT=${second.port}))`
      const withConnectData = '(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=orders.test)(INSTANCE_NAME=one)))'
      const first = await listen({ redirect, withConnectData, isSplit })
      const stages: string[] = []
      const opened = open(first.port, { onStage: (stage) => void stages.push(stage) })
      await expect(opened).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
      expect(stages).toEqual(['name', 'tcp'])
      expect([first.opened, second.opened]).toEqual([1, 1])
      expect(second.connects[0]).toContain('INSTANCE_NAME=one')
    },
  )

  it('follows no redirect to an address that Postern never dials: nothing arrives there', async () => {
    const thief = await listen('silent', '127.0.0.2')
    for (const host of ['127.0.0.2', '169.254.169.254', '::ffff:127.0.0.2', '[::]', 'metadata.invalid']) {
      const first = await listen({ redirect: `(ADDRESS=(PROTOCOL=tcp)(HOST=${host})(PORT=${thief.port}))` })
      await expect(open(first.port)).rejects.toMatchObject({
        code: expect.stringMatching(/^UPSTREAM_(?:ADDRESS_REFUSED|NAME_UNKNOWN)$/) as string,
      })
    }
    expect(thief.opened).toBe(0)
  })

  it.each([
    ['an alias of tnsnames.ora', 'orders'],
    ['a web address', 'tcp://127.0.0.2:1/orders'],
    ['a whole description', '(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=1))(CONNECT_DATA=(SID=x)))'],
    ['an HTTP proxy', '(ADDRESS=(PROTOCOL=tcp)(HTTPS_PROXY=127.0.0.2)(HTTPS_PROXY_PORT=1)(HOST=127.0.0.1)(PORT=1))'],
    ['two hosts', '(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(HOST=127.0.0.2)(PORT=1))'],
    ['another protocol', '(ADDRESS=(PROTOCOL=ipc)(KEY=orders))'],
    ['TLS where there was none', '(ADDRESS=(PROTOCOL=tcps)(HOST=127.0.0.1)(PORT=1))'],
    ['nothing', ''],
    ['rubbish', Buffer.alloc(200, 0xff)],
  ])('refuses a redirect to %s', async (_name, redirect) => {
    const first = await listen({ redirect })
    await expect(open(first.port)).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
  })

  it('sends no bytes of another protocol on to where it is redirected', async () => {
    const victim = await listen('silent')
    const redirect = `(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=${victim.port}))`
    const first = await listen({ redirect, withConnectData: '(DESCRIPTION=\r\nFLUSHALL\r\n' })
    await expect(open(first.port)).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(victim.opened).toBe(0)
  })

  it('does not run in circles', async () => {
    const loop: { port: number } = { port: 0 }
    const redirect = { toString: () => `(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=${loop.port}))` }
    const first = await listen({
      get redirect() {
        return String(redirect)
      },
    })
    loop.port = first.port
    await expect(open(first.port)).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(first.opened).toBe(3)
  })

  it.each([
    ['HTTP', { raw: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, 'UPSTREAM_PROTOCOL'],
    ['SSH', { raw: 'SSH-2.0-OpenSSH_9.2\r\n', isBanner: true }, 'UPSTREAM_PROTOCOL'],
    ['Postgres', { raw: Buffer.from('E\0\0\0\x0cSFATAL\0\0') }, 'UPSTREAM_PROTOCOL'],
    ['TLS', { raw: Buffer.from([0x15, 3, 1, 0, 2, 2, 40]) }, 'UPSTREAM_TLS_ON_PLAIN_PORT'],
  ] as const)('sees at once that %s is no listener', async (_name, behaviour, code) => {
    const listener = await listen(behaviour)
    await expect(open(listener.port)).rejects.toMatchObject({ code })
  })

  it('gives up in time, and leaves no socket open after any failure', async () => {
    const silent = await listen('silent')
    await expect(open(silent.port, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    const refusing = await listen({ refuse: 12_514 })
    await Promise.allSettled(Array.from({ length: 50 }, () => open(refusing.port)))
    await expect.poll(async () => (await silent.openNow()) + (await refusing.openNow())).toBe(0)
  })

  it('has the driver hand out dates as text, with every digit', async () => {
    const listener = await listen({ refuse: 12_514 })
    await open(listener.port).catch(() => undefined)
    const bytes = Buffer.from([120, 126, 11, 23, 9, 16, 31, 0x07, 0x5b, 0xcd, 0x15])
    expect(buffers.BaseBuffer.prototype.parseOracleDate(bytes)).toBe('2026-11-23 08:15:30.123456789')
  })

  it('says that the port is closed', async () => {
    const listener = await listen('silent')
    await listener.stop()
    await expect(open(listener.port)).rejects.toMatchObject({ code: 'UPSTREAM_PORT_CLOSED' })
  })

  describeWith(['openssl'], 'over TLS', () => {
    const authority = createTestAuthority('Oracle listeners')
    const tls = authority.issue(['localhost'])
    afterAll(() => authority.remove())
    const secured = { host: 'localhost', tlsMode: 'verify-full', tlsCa: authority.caPem } as const

    it('speaks to a listener whose certificate is verified', async () => {
      const listener = await listen({ refuse: 12_514 }, '127.0.0.1', tls)
      const stages: string[] = []
      const opened = open(listener.port, { onStage: (stage) => void stages.push(stage) }, secured)
      await expect(opened).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
      expect(stages).toEqual(['name', 'tcp', 'tls'])
    })

    it('says nothing to one whose certificate is for another name', async () => {
      const listener = await listen({ refuse: 12_514 }, '127.0.0.1', authority.issue(['other.test']))
      await expect(open(listener.port, {}, secured)).rejects.toMatchObject({ code: 'UPSTREAM_TLS_WRONG_NAME' })
      expect(listener.connects).toEqual([])
    })

    it('is not led out of TLS by a redirect', async () => {
      const plain = await listen('silent')
      const redirect = `(ADDRESS=(PROTOCOL=tcp)(HOST=localhost)(PORT=${plain.port}))`
      const listener = await listen({ redirect }, '127.0.0.1', tls)
      await expect(open(listener.port, {}, secured)).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
      expect(plain.opened).toBe(0)
    })

    it('verifies the certificate of where it is redirected to', async () => {
      const second = await listen({ refuse: 12_514 }, '127.0.0.1', authority.issue(['other.test']))
      const redirect = `(ADDRESS=(PROTOCOL=tcps)(HOST=localhost)(PORT=${second.port}))`
      const listener = await listen({ redirect }, '127.0.0.1', tls)
      await expect(open(listener.port, {}, secured)).rejects.toMatchObject({ code: 'UPSTREAM_TLS_WRONG_NAME' })
      expect(second.connects).toEqual([])
    })

    it('explains a second handshake that it cannot do', async () => {
      const listener = await listen({ resend: 'with a second handshake' }, '127.0.0.1', tls)
      await expect(open(listener.port, {}, secured)).rejects.toMatchObject({
        code: 'UPSTREAM_PROTOCOL',
        message: expect.stringContaining('second TLS handshake') as string,
      })
    })
  })
})
