import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ByteSocket, TlsClientOptions } from '../../src/transport/byte-socket.ts'
import { transports } from '../../src/transport/transports.ts'
import { RecordedSocket } from '../support/recorded-socket.ts'
import { describeWith } from '../support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'

const TIMEOUT_MS = 5_000

for (const transport of Object.values(transports)) {
  describeWith(['openssl'], `the connecting side of the ${transport.name} transport`, () => {
    let authority: TestAuthority
    let stranger: TestAuthority
    const folder = mkdtempSync(join(tmpdir(), 'transport-connect-'))
    const servers: Server[] = []
    const sockets: ByteSocket[] = []
    const accepted: Socket[] = []

    beforeAll(() => {
      authority = createTestAuthority('Test authority')
      stranger = createTestAuthority('Stranger')
    })
    afterAll(() => {
      authority.remove()
      stranger.remove()
      rmSync(folder, { recursive: true, force: true })
    })
    afterEach(() => {
      for (const socket of [...sockets.splice(0), ...accepted.splice(0)]) socket.destroy()
      for (const server of servers.splice(0)) server.close()
    })

    async function listening(server: Server, path?: string): Promise<number> {
      servers.push(server)
      server.on('connection', (socket: Socket) => {
        accepted.push(socket)
        socket.on('error', () => {})
      })
      if (path === undefined) server.listen(0, '127.0.0.1')
      else server.listen(path)
      await once(server, 'listening')
      return (server.address() as AddressInfo).port ?? 0
    }

    async function open(port: number): ReturnType<typeof transport.connect> {
      const socket = await transport.connect({ kind: 'tcp', address: '127.0.0.1', port }, TIMEOUT_MS)
      sockets.push(socket)
      return socket
    }

    test('connects to an address and to a Unix socket, and bytes go both ways', async () => {
      const echo = (): Server => createServer((socket) => socket.pipe(socket))
      const path = join(folder, 'echo.sock')
      const port = await listening(echo())
      await listening(echo(), path)
      for (const target of [
        { kind: 'tcp', address: '127.0.0.1', port },
        { kind: 'unix', path },
      ] as const) {
        const socket = new RecordedSocket(await transport.connect(target, TIMEOUT_MS))
        await socket.send('there and back')
        await socket.until(({ text }) => text === 'there and back')
        socket.socket.end()
        await socket.until(({ closed }) => closed)
        expect(socket.events).toEqual(['data', 'end', 'close'])
      }
    })

    test('what the server says at once waits for handlers', async () => {
      const port = await listening(createServer((socket) => socket.end('first')))
      const socket = await open(port)
      await new Promise((resolve) => setTimeout(resolve, 30))
      const recorded = new RecordedSocket(socket)
      await recorded.until(({ events }) => events.includes('end'))
      expect(recorded.text).toBe('first')
    })

    test('a failed connection is an error with its code', async () => {
      const free = createServer()
      const port = await listening(free)
      free.close()
      await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      const nowhere = { kind: 'unix', path: join(folder, 'nowhere.sock') } as const
      await expect(transport.connect(nowhere, TIMEOUT_MS)).rejects.toMatchObject({ code: 'ENOENT' })
      const long = { kind: 'unix', path: join(folder, 'x'.repeat(200)) } as const
      await expect(transport.connect(long, TIMEOUT_MS)).rejects.toMatchObject({ code: expect.any(String) })
    })

    test('a connection that nobody accepts ends with ETIMEDOUT', async () => {
      const stopped = await fullBacklog()
      try {
        const target = { kind: 'tcp', address: '127.0.0.1', port: stopped.port } as const
        await expect(transport.connect(target, 100)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
      } finally {
        stopped.child.kill('SIGKILL')
      }
    })

    /** A listener whose queue of unaccepted connections is full. */
    async function fullBacklog(): Promise<{ child: ChildProcess; port: number }> {
      const program = `const s = require('node:net').createServer(); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`
      const child = spawn(process.execPath, ['-e', program])
      const port = Number(String((await once(child.stdout, 'data'))[0]))
      child.kill('SIGSTOP')
      for (let filled = false; !filled;) {
        filled = await transport.connect({ kind: 'tcp', address: '127.0.0.1', port }, 100).then(
          (socket) => {
            sockets.push(socket)
            return false
          },
          () => true,
        )
      }
      return { child, port }
    }

    describe('TLS', () => {
      const options = (over: Partial<TlsClientOptions> = {}): TlsClientOptions => ({
        serverName: 'db.test',
        caPem: authority.caPem,
        verify: 'full',
        ...over,
      })

      /** A server that echoes; `heard` is all that any client of it said above TLS. */
      async function tlsServer(tls: TlsOptions): Promise<{ port: number; heard: () => string; sessions: TLSSocket[] }> {
        let heard = ''
        const sessions: TLSSocket[] = []
        const server = createTlsServer(tls, (socket) => {
          sessions.push(socket)
          socket.on('error', () => {})
          socket.on('data', (chunk: Buffer) => {
            heard += chunk
            socket.write(chunk)
          })
        })
        server.on('tlsClientError', () => {})
        return { port: await listening(server), heard: () => heard, sessions }
      }

      function presenting(names: readonly string[], by = authority, days = 2): TlsOptions {
        const { certificateChainPem, privateKeyPem } = by.issue(names, days)
        return { cert: certificateChainPem, key: privateKeyPem }
      }

      async function echo(port: number, tls: TlsClientOptions): Promise<void> {
        const socket = new RecordedSocket(await (await open(port)).upgradeToTls(tls))
        sockets.push(socket.socket)
        await socket.send('hello')
        await socket.until(({ text }) => text === 'hello')
      }

      test('verifies the name and the chain, and sends the name by SNI', async () => {
        const server = await tlsServer(presenting(['db.test']))
        await echo(server.port, options())
        await echo(server.port, options({ caPem: stranger.caPem + authority.caPem }))
        expect((server.sessions[0] as TLSSocket & { servername: string }).servername).toBe('db.test')
      })

      test('verifies an address against the certificate and sends none by SNI', async () => {
        const server = await tlsServer(presenting(['127.0.0.1']))
        await echo(server.port, options({ serverName: '127.0.0.1' }))
        expect((server.sessions[0] as TLSSocket & { servername: unknown }).servername).toBeFalsy()
      })

      test('verifies an address that is not the one of the socket, as behind SSH', async () => {
        const path = join(folder, 'way.sock')
        const reach = async (names: readonly string[], by = authority) => {
          const server = createTlsServer(presenting(names, by), (socket) => {
            socket.on('error', () => {})
            socket.pipe(socket)
          })
          server.on('tlsClientError', () => {})
          await listening(server, path)
          const below = await transport.connect({ kind: 'unix', path }, TIMEOUT_MS)
          sockets.push(below)
          const socket = new RecordedSocket(await below.upgradeToTls(options({ serverName: '10.0.0.7' })))
          sockets.push(socket.socket)
          await socket.send('hello')
          await socket.until(({ text }) => text === 'hello')
        }
        const closed = () => new Promise((resolve) => servers.pop()?.close(resolve))
        await reach(['10.0.0.7'])
        for (const socket of [...sockets.splice(0), ...accepted.splice(0)]) socket.destroy()
        await closed()
        await expect(reach(['10.0.0.8', 'localhost'])).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
        for (const socket of accepted.splice(0)) socket.destroy()
        await closed()
        await expect(reach(['10.0.0.7'], stranger)).rejects.toMatchObject({
          code: expect.stringMatching(/^UNABLE_TO_|^SELF_SIGNED/),
        })
      })

      test('speaks no older TLS than it is told to', async () => {
        const client = authority.issue(['client.test'])
        const asking = { ...presenting(['db.test']), ca: authority.caPem, requestCert: true }
        const identity = { certificatePem: client.certificateChainPem, privateKeyPem: client.privateKeyPem }
        const tls = options({ ...identity, minVersion: 'TLSv1.3' })
        const old = await tlsServer({ ...asking, maxVersion: 'TLSv1.2' })
        await expect((await open(old.port)).upgradeToTls(tls)).rejects.toThrow()
        expect(old.sessions).toEqual([])
        await echo((await tlsServer(asking)).port, tls)
      })

      test.each([
        ['another authority', () => presenting(['db.test'], stranger), {}, /^UNABLE_TO_|^SELF_SIGNED|^DEPTH_ZERO/],
        ['another name', () => presenting(['other.test']), {}, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
        [
          'another address',
          () => presenting(['127.0.0.2']),
          { serverName: '127.0.0.1' },
          /^ERR_TLS_CERT_ALTNAME_INVALID$/,
        ],
        [
          'a name for an address',
          () => presenting(['db.test']),
          { serverName: '127.0.0.1' },
          /^ERR_TLS_CERT_ALTNAME_INVALID$/,
        ],
        [
          'no name to check',
          () => presenting(['db.test']),
          { serverName: undefined },
          /^ERR_TLS_CERT_ALTNAME_INVALID$/,
        ],
        ['an expired certificate', () => presenting(['db.test'], authority, -1), {}, /^CERT_HAS_EXPIRED$/],
        ['no authority of ours', () => presenting(['db.test']), { caPem: undefined }, /^UNABLE_TO_|^SELF_SIGNED/],
        ['another authority', () => presenting(['db.test'], stranger), { verify: 'chain' }, /^UNABLE_TO_|^SELF_SIGNED/],
        [
          'another authority and name',
          () => presenting(['other.test'], stranger),
          { verify: 'chain' },
          /^UNABLE_TO_|^SELF_SIGNED/,
        ],
        [
          'an expired certificate',
          () => presenting(['db.test'], authority, -1),
          { verify: 'chain' },
          /^CERT_HAS_EXPIRED$/,
        ],
      ] as const)(
        '%s (%#) is refused with the code of the verification, and nothing is said',
        async (_title, present, over, code) => {
          const server = await tlsServer(present())
          const upgrading = (await open(server.port)).upgradeToTls(options(over))
          await expect(upgrading).rejects.toMatchObject({ code: expect.stringMatching(code) })
          expect(server.heard()).toBe('')
        },
      )

      test('a self-signed certificate is refused as such', async () => {
        const server = await tlsServer({ cert: stranger.caPem, key: stranger.caKeyPem })
        await expect((await open(server.port)).upgradeToTls(options())).rejects.toMatchObject({
          code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
        })
      })

      test('verify chain accepts another name, verify none any certificate', async () => {
        const named = await tlsServer(presenting(['other.test']))
        await echo(named.port, options({ verify: 'chain' }))
        await echo(named.port, options({ verify: 'chain', serverName: undefined }))
        const untrusted = await tlsServer(presenting(['other.test'], stranger, -1))
        await echo(untrusted.port, options({ verify: 'none', caPem: undefined }))
        expect((untrusted.sessions[0] as TLSSocket & { servername: string }).servername).toBe('db.test')
      })

      test('a client certificate is shown to a server that asks', async () => {
        const client = authority.issue(['client.test'])
        const server = await tlsServer({ ...presenting(['db.test']), ca: authority.caPem, requestCert: true })
        await echo(
          server.port,
          options({ certificatePem: client.certificateChainPem, privateKeyPem: client.privateKeyPem }),
        )
        expect(server.sessions[0]?.getPeerCertificate().subject.CN).toBe('client.test')
      })

      test.each(['full', 'chain', 'none'] as const)(
        'verify %s: a peer that does not speak TLS fails the handshake',
        async (verify) => {
          for (const answer of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
            const port = await listening(
              createServer((socket) => {
                socket.once('data', () => socket.end(answer))
              }),
            )
            const upgrading = (await open(port)).upgradeToTls(options({ verify }))
            await expect(upgrading).rejects.toMatchObject({
              code: expect.stringMatching(/^(EPROTO|ECONNRESET|ERR_SSL_.*)$/),
            })
          }
        },
      )

      test('a CA that is no certificate is an error, and the connection is closed', async () => {
        const server = await tlsServer(presenting(['db.test']))
        const socket = await open(server.port)
        await expect(socket.upgradeToTls(options({ caPem: 'no certificate' }))).rejects.toThrow()
        await new Promise((resolve) => accepted[0]?.once('close', resolve))
      })

      test('destroying the socket ends a handshake that is not answered', async () => {
        const port = await listening(createServer(() => {}))
        const socket = await open(port)
        const upgrading = socket.upgradeToTls(options())
        socket.destroy()
        await expect(upgrading).rejects.toMatchObject({ code: 'ECONNRESET' })
      })

      test('a server that refuses us after its handshake is a close with an error', async () => {
        const server = await tlsServer({
          ...presenting(['db.test']),
          ca: stranger.caPem,
          requestCert: true,
          rejectUnauthorized: true,
          minVersion: 'TLSv1.3',
        })
        const socket = new RecordedSocket(await (await open(server.port)).upgradeToTls(options()))
        await socket.until(({ closed }) => closed)
        expect(socket.closeError).toMatchObject({ code: expect.any(String) })
        expect(server.heard()).toBe('')
      })
    })
  })
}
