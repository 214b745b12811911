import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { FaultRelay } from '../../../test/support/fault-relay.ts'
import { describeWith } from '../../../test/support/requirements.ts'
import { makeKey, SshdServer, sshdTakesPasswords } from '../../../test/support/sshd-server.ts'
import { startTestTunnels, type TestTunnels } from '../../../test/support/ssh-tunnels.ts'
import type { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { ConnectedSocket } from '../../transport/byte-socket.ts'
import { nodeTransport } from '../../transport/node/node-transport.ts'
import { toDuplex } from '../../transport/duplex.ts'
import type { SshHop } from '../data-source-route.ts'
import type { DataSourceSecrets } from '../data-source-secrets.ts'
import type { TunnelRequest } from '../ssh-tunnels.ts'
import { generateSshKeyPair } from './generate-key-pair.ts'

/** A database that says hello, then sends back what it reads, and says goodbye when it has read the end. */
interface Echo {
  readonly port: number
  readonly sockets: Set<Socket>
  stop(): Promise<void>
}

async function startEcho(): Promise<Echo> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.write('hello\n')
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end('goodbye\n'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let attempt = 0; !isTrue(); attempt++) {
    if (attempt === 400) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Sends text and the end, and reads all. */
async function exchange(socket: ConnectedSocket, text: string): Promise<string> {
  const stream = toDuplex(socket)
  let read = ''
  stream.on('data', (chunk: Buffer) => (read += chunk.toString()))
  const over = new Promise((resolve, reject) => {
    stream.on('end', resolve)
    stream.on('error', reject)
  })
  stream.write(text)
  await until('the echo', () => read.includes(text))
  socket.end()
  await over
  stream.destroy()
  return read
}

describeWith(['sshd', 'openssl'], 'ways through OpenSSH', () => {
  let sshd: SshdServer
  let echo: Echo
  let test: TestTunnels
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-keys-'))
  const servers: SshdServer[] = []
  const more: TestTunnels[] = []

  beforeAll(async () => {
    sshd = await SshdServer.start()
    echo = await startEcho()
    test = await startTestTunnels()
  })
  afterEach(async () => {
    await Promise.all(more.splice(0).map((tunnels) => tunnels.stop()))
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  })
  afterAll(async () => {
    await test?.stop()
    await sshd?.stop()
    await echo?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function another(...settings: string[]): Promise<SshdServer> {
    const server = await SshdServer.start({ settings })
    servers.push(server)
    return server
  }

  async function fresh(options: Parameters<typeof startTestTunnels>[0] = {}): Promise<TestTunnels> {
    const tunnels = await startTestTunnels(options)
    more.push(tunnels)
    return tunnels
  }

  function request(change: Partial<TunnelRequest> = {}, server = sshd): TunnelRequest {
    return {
      hops: [server.hop()],
      secrets: { 'ssh.0.privateKey': new Secret(server.clientKey) },
      target: { host: '127.0.0.1', port: echo.port },
      timeoutMs: 10_000,
      ...change,
    }
  }

  async function failure(change: Partial<TunnelRequest>, server = sshd, tunnels = test): Promise<PosternError> {
    return tunnels.tunnels.connect(request(change, server)).then(
      () => Promise.reject(new Error('it worked')),
      (error: PosternError) => error,
    )
  }

  async function worksWith(hop: SshHop, secrets: DataSourceSecrets): Promise<void> {
    const socket = await test.tunnels.connect(request({ hops: [hop], secrets }))
    expect(await exchange(socket, 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
  }

  it('lets a key in, tells every stage, and passes bytes and the end both ways', async () => {
    const { tunnels } = await fresh()
    const stages: [string, unknown][] = []
    const socket = await tunnels.connect(request({ onStage: (stage, detail) => stages.push([stage, detail]) }))
    expect(await exchange(socket, 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
    const elapsedMs = expect.any(Number)
    expect(stages).toEqual([
      ['name', { elapsedMs }],
      ['tcp', { elapsedMs }],
      [
        'ssh_handshake',
        {
          server: expect.stringMatching(/^SSH-2.0-OpenSSH/),
          keyExchange: 'curve25519-sha256',
          cipher: 'aes128-gcm@openssh.com',
          elapsedMs,
        },
      ],
      ['ssh_host_key', { hostKey: sshd.fingerprints.ed25519, algorithm: 'ssh-ed25519', elapsedMs }],
      ['ssh_login', { username: sshd.username, method: 'private_key', elapsedMs }],
      ['ssh_forward', { elapsedMs }],
    ])
  })

  it('lets keys of all kinds in, with a passphrase, and one of our own making', async () => {
    for (const type of ['rsa', 'ecdsa']) {
      const key = makeKey(join(folder, type), type, 'open sesame')
      sshd.authorize(publicKeyOf(type))
      await worksWith(sshd.hop(), {
        'ssh.0.privateKey': new Secret(key.text),
        'ssh.0.passphrase': new Secret('open sesame'),
      })
    }
    const pair = generateSshKeyPair()
    sshd.authorize(pair.publicKey)
    await worksWith(sshd.hop(), { 'ssh.0.privateKey': pair.privateKey })
  })

  function publicKeyOf(type: string): string {
    return readFileSync(join(folder, `${type}.pub`), 'utf8')
  }

  it.skipIf(!sshdTakesPasswords)('lets a password in', async () => {
    await worksWith(sshd.hop({ auth: 'password' }), { 'ssh.0.password': new Secret(sshd.password) })
  })

  it('knows a server by any of its host keys, whichever it prefers to show', async () => {
    for (const hostKey of [sshd.fingerprints.rsa, sshd.fingerprints.ecdsa, `${sshd.fingerprints.ed25519}=`]) {
      await worksWith(sshd.hop({ hostKey }), { 'ssh.0.privateKey': new Secret(sshd.clientKey) })
    }
  })

  it('shows the key of a server that is not pinned, and logs in nowhere', async () => {
    const server = await another()
    const stages: string[] = []
    const error = await failure(
      { hops: [server.hop({ hostKey: null })], onStage: (stage) => stages.push(stage) },
      server,
    )
    expect(error).toMatchObject({
      code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
      detail: {
        host: '127.0.0.1',
        port: server.port,
        hostKey: server.fingerprints.ed25519,
        algorithm: 'ssh-ed25519',
      },
    })
    expect(stages).toEqual(['name', 'tcp', 'ssh_handshake'])
    // The host key of a server is asked for before there are any secrets.
    expect(await failure({ hops: [server.hop({ hostKey: null })], secrets: {} }, server)).toMatchObject({
      code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
    })
    await until('sshd logs the end', () => server.log.includes('[preauth]'))
    expect(server.log).not.toMatch(/publickey|password/)
  })

  it('stops at a changed host key and shows both', async () => {
    const before = 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    const server = await another()
    const error = await failure({ hops: [server.hop({ hostKey: before })] }, server)
    expect(error.code).toBe('UPSTREAM_SSH_HOST_KEY_CHANGED')
    expect(error.message).toContain(before)
    expect(error.message).toContain(server.fingerprints.ed25519)
    expect(error.detail).toMatchObject({ pinned: before, hostKey: server.fingerprints.ed25519 })
    expect(server.log).not.toMatch(/publickey|password/)
  })

  it('goes through one server to the next, and tells which one failed', async () => {
    const inner = await another()
    const hops = [sshd.hop(), inner.hop()]
    const secrets = {
      'ssh.0.privateKey': new Secret(sshd.clientKey),
      'ssh.1.privateKey': new Secret(inner.clientKey),
    }
    const stages: string[] = []
    const socket = await test.tunnels.connect(
      request({
        hops,
        secrets,
        onStage: (stage, detail) => stages.push(`${stage} ${String(detail?.['hostKey'] ?? '')}`.trim()),
      }),
    )
    expect(await exchange(socket, 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
    expect(stages).toEqual([
      'name',
      'tcp',
      'ssh_handshake',
      `ssh_host_key ${inner.fingerprints.ed25519}`,
      'ssh_login',
      'ssh_forward',
    ])
    expect(inner.logins).toBe(1)

    const refused = await failure({ hops, secrets: { ...secrets, 'ssh.1.privateKey': new Secret(sshd.clientKey) } })
    expect(refused).toMatchObject({
      code: 'UPSTREAM_SSH_AUTH_FAILED',
      message: 'SSH server 2 of 2 refused the key of this user',
    })
    const closed = await failure({ hops: [sshd.hop(), inner.hop({ port: 1 })], secrets })
    expect(closed.code).toBe('UPSTREAM_SSH_UNREACHABLE')
    expect(closed.message).toBe('SSH server 1 of 2 could not connect to the host and port of SSH server 2 of 2')
    const first: string[] = []
    const early = await failure({
      hops: [sshd.hop({ hostKey: null }), inner.hop()],
      secrets,
      onStage: (stage) => first.push(stage),
    })
    expect(early.code).toBe('UPSTREAM_SSH_HOST_KEY_UNKNOWN')
    expect(first).toEqual(['name', 'tcp', 'ssh_handshake'])
  })

  it('tells why a login was refused', async () => {
    const other = generateSshKeyPair().privateKey
    expect(await failure({ secrets: { 'ssh.0.privateKey': other } })).toMatchObject({
      code: 'UPSTREAM_SSH_AUTH_FAILED',
      message: 'the SSH server refused the key of this user',
    })
    expect(await failure({ secrets: {} })).toMatchObject({
      code: 'UPSTREAM_SSH_AUTH_FAILED',
      message: 'there is no private key for the SSH server',
    })
    const password = { hops: [sshd.hop({ auth: 'password' })], secrets: { 'ssh.0.password': new Secret('wrong') } }
    expect(await failure(password)).toMatchObject({
      code: 'UPSTREAM_SSH_AUTH_FAILED',
      message: 'the SSH server refused the user or the password',
    })
    const keysOnly = await another('PasswordAuthentication no')
    expect(await failure({ ...password, hops: [keysOnly.hop({ auth: 'password' })] }, keysOnly)).toMatchObject({
      code: 'UPSTREAM_SSH_AUTH_FAILED',
      message: 'the SSH server takes no passwords from this user; it takes publickey',
    })
    const twice = await another('AuthenticationMethods publickey,password')
    expect((await failure({}, twice)).message).toBe('the SSH server asks for a second proof after the first')
  })

  it('needs no more of a key than the way to its database', async () => {
    const server = await another()
    const pair = generateSshKeyPair()
    server.authorize(`restrict,port-forwarding,permitopen="127.0.0.1:${echo.port}" ${pair.publicKey}`)
    const secrets = { 'ssh.0.privateKey': pair.privateKey }
    expect(await exchange(await test.tunnels.connect(request({ secrets }, server)), 'SELECT 1')).toContain('SELECT 1')
    expect(await failure({ secrets, target: { host: '127.0.0.1', port: server.port } }, server)).toMatchObject({
      code: 'UPSTREAM_SSH_FORWARD_REFUSED',
    })
  })

  it('reads keys before it dials', async () => {
    const server = await another()
    const encrypted = makeKey(join(folder, 'encrypted'), 'ed25519', 'open sesame').text
    const secrets = { 'ssh.0.privateKey': new Secret(encrypted), 'ssh.0.passphrase': new Secret('shut sesame') }
    expect(await failure({ secrets }, server)).toMatchObject({ code: 'UPSTREAM_SSH_KEY_UNREADABLE' })
    expect(server.connections).toBe(1)
  })

  it('tells a refused way from a closed port and an unknown name', async () => {
    const closed = await failure({ target: { host: '127.0.0.1', port: 1 } })
    expect(closed.code).toBe('UPSTREAM_PORT_CLOSED')
    expect(closed.message).toBe('the SSH server could not connect to the host and port of the database')
    const unknown = await failure({ target: { host: 'no-such-host.invalid', port: 5432 } })
    expect(unknown.code).toBe('UPSTREAM_NAME_UNKNOWN')
    for (const setting of ['AllowTcpForwarding no', 'PermitOpen db.test:5432']) {
      const refused = await failure({}, await another(setting))
      expect(refused).toMatchObject({ code: 'UPSTREAM_SSH_FORWARD_REFUSED' })
    }
  })

  it.each([
    [
      'Ciphers chacha20-poly1305@openssh.com',
      /no cipher in common; it offers only chacha20-poly1305@openssh\.com$/,
      /Ciphers/,
    ],
    [
      'KexAlgorithms diffie-hellman-group14-sha256,diffie-hellman-group16-sha512',
      /no key exchange in common; it offers only diffie-hellman-group14-sha256, diffie-hellman-group16-sha512$/,
      /curve25519-sha256.*KexAlgorithms/,
    ],
  ])('says what to enable on a server with `%s`', async (setting, message, hint) => {
    const error = await failure({}, await another(setting))
    expect(error.code).toBe('UPSTREAM_SSH_PROTOCOL')
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })

  it('tells what answers where no SSH server is', async () => {
    const at = (port: number): Partial<TunnelRequest> => ({ hops: [sshd.hop({ port })], timeoutMs: 1_000 })
    expect(await failure(at(1))).toMatchObject({ code: 'UPSTREAM_SSH_UNREACHABLE' })
    expect(await failure({ hops: [sshd.hop({ host: 'no-such-host.invalid' })] })).toMatchObject({
      code: 'UPSTREAM_NAME_UNKNOWN',
      message: 'the host name of the SSH server does not resolve',
    })
    const answering = async (answer: (socket: Socket) => void): Promise<PosternError> => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.resume()
        answer(socket)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const error = await failure(at((server.address() as AddressInfo).port))
      await new Promise((resolve) => server.close(resolve))
      return error
    }
    const web = await answering((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(web).toMatchObject({ code: 'UPSTREAM_SSH_PROTOCOL' })
    expect(web.message).toMatch(/does not speak SSH/)
    expect((await answering((socket) => socket.end())).message).toMatch(/closed the connection before it said anything/)
    expect((await answering((socket) => setTimeout(() => socket.destroy(), 1_500))).message).toMatch(/said nothing/)
  })

  it('opens one tunnel for many sessions, and closes it when nobody used it for a while', async () => {
    const server = await another()
    const { tunnels, pool } = await fresh({ idleMs: 300 })
    const sockets = await Promise.all(Array.from({ length: 50 }, () => tunnels.connect(request({}, server))))
    expect(server.logins).toBe(1)
    expect(server.sessions).toBe(1)
    expect(pool.streams).toBe(50)
    const stages: unknown[] = []
    sockets.push(
      await tunnels.connect(request({ onStage: (stage, detail) => stages.push([stage, detail?.['shared']]) }, server)),
    )
    expect(stages).toEqual([
      ...['name', 'tcp', 'ssh_handshake', 'ssh_host_key', 'ssh_login'].map((stage) => [stage, true]),
      ['ssh_forward', undefined],
    ])
    expect(server.logins).toBe(1)
    await Promise.all(sockets.map((socket) => exchange(socket, 'SELECT 1')))
    await until('the tunnel is closed', () => pool.size === 0 && server.sessions === 0)
  })

  it('shares nothing between different secrets, users or pins', async () => {
    const server = await another()
    const other = generateSshKeyPair()
    server.authorize(other.publicKey)
    const { tunnels, pool } = await fresh()
    const sockets = [
      await tunnels.connect(request({}, server)),
      await tunnels.connect(request({ secrets: { 'ssh.0.privateKey': other.privateKey } }, server)),
      await tunnels.connect(request({ hops: [server.hop({ hostKey: server.fingerprints.rsa })] }, server)),
    ]
    expect(pool.size).toBe(3)
    expect(server.logins).toBe(3)
    for (const socket of sockets) socket.destroy()
  })

  it('remembers no failure', async () => {
    const server = await another()
    const pair = generateSshKeyPair()
    const { tunnels, pool } = await fresh()
    const secrets = { 'ssh.0.privateKey': pair.privateKey }
    const attempts = await Promise.allSettled([1, 2, 3].map(() => tunnels.connect(request({ secrets }, server))))
    expect(attempts.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(pool.size).toBe(0)
    server.authorize(pair.publicKey)
    expect(await exchange(await tunnels.connect(request({ secrets }, server)), 'SELECT 1')).toContain('SELECT 1')
  })

  it('ends the sessions of a tunnel that was killed, and opens another for the next', async () => {
    const server = await another()
    const { tunnels, pool } = await fresh()
    const stream = toDuplex(await tunnels.connect(request({}, server)))
    let read = ''
    stream.on('data', (chunk: Buffer) => (read += chunk.toString()))
    stream.on('error', () => undefined)
    const closed = new Promise((resolve) => stream.on('close', resolve))
    await until('the greeting', () => read === 'hello\n')
    server.killSessions()
    await closed
    expect(await exchange(await tunnels.connect(request({}, server)), 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
    expect(server.logins).toBe(2)
    expect(pool.size).toBe(1)
  })

  it('ends the sessions of a way whose last server was killed, too', async () => {
    const inner = await another()
    const { tunnels } = await fresh()
    const through = request({
      hops: [sshd.hop(), inner.hop()],
      secrets: {
        'ssh.0.privateKey': new Secret(sshd.clientKey),
        'ssh.1.privateKey': new Secret(inner.clientKey),
      },
    })
    const stream = toDuplex(await tunnels.connect(through))
    stream.on('error', () => undefined)
    stream.resume()
    const closed = new Promise((resolve) => stream.on('close', resolve))
    inner.killSessions()
    await closed
    expect(await exchange(await tunnels.connect(through), 'SELECT 1')).toContain('SELECT 1')
  })

  it('finds a server that vanished without a word', async () => {
    const relay = await FaultRelay.start(sshd.port)
    const { tunnels, pool } = await fresh({ keepAlive: { intervalMs: 100, missesMax: 2 } })
    const through = request({ hops: [sshd.hop({ port: relay.port })] })
    const stream = toDuplex(await tunnels.connect(through))
    stream.on('error', () => undefined)
    stream.resume()
    const closed = new Promise((resolve) => stream.on('close', resolve))
    relay.fault = 'blackhole'
    await closed
    await until('the tunnel is gone', () => pool.size === 0)
    relay.fault = 'none'
    expect(await exchange(await tunnels.connect(through), 'SELECT 1')).toContain('SELECT 1')
    await relay.stop()
  })

  it('gives up a tunnel in which a way was asked for and nothing was heard', async () => {
    const relay = await FaultRelay.start(sshd.port)
    const { tunnels, pool } = await fresh({ keepAlive: { intervalMs: 60_000, missesMax: 2 } })
    const through = request({ hops: [sshd.hop({ port: relay.port })], timeoutMs: 1_500 })
    ;(await tunnels.connect(through)).destroy()
    relay.fault = 'blackhole'
    await expect(tunnels.connect(through)).rejects.toMatchObject({ code: 'UPSTREAM_TIMED_OUT' })
    expect(pool.size).toBe(0)
    relay.fault = 'none'
    expect(await exchange(await tunnels.connect({ ...through, timeoutMs: 10_000 }), 'SELECT 1')).toContain('SELECT 1')
    await relay.stop()
  })

  it('holds up a database whose reader is slow, and loses nothing', async () => {
    const total = 32 * 1024 * 1024
    let sent = 0
    const source = createServer((socket) => {
      socket.on('error', () => undefined)
      const chunk = Buffer.alloc(64 * 1024, 'x')
      const fill = (): void => {
        while (sent < total) {
          sent += chunk.length
          if (!socket.write(chunk)) return
        }
        socket.end()
      }
      socket.on('drain', fill)
      fill()
    })
    await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve))
    const socket = await test.tunnels.connect(
      request({ target: { host: '127.0.0.1', port: (source.address() as AddressInfo).port } }),
    )
    let read = 0
    const over = new Promise<void>((resolve) =>
      socket.setHandlers({
        onData: (chunk) => (read += chunk.length),
        onDrain() {},
        onEnd: () => resolve(),
        onClose: () => resolve(),
      }),
    )
    socket.pause()
    let before = -1
    while (before !== sent) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    expect(sent).toBeLessThan(total / 2)
    socket.resume()
    await over
    expect(read).toBe(total)
    socket.destroy()
    await new Promise((resolve) => source.close(resolve))
  })

  it('goes on while the keys are exchanged anew', async () => {
    const server = await another('RekeyLimit 1M')
    const stream = toDuplex(await test.tunnels.connect(request({}, server)))
    const text = Buffer.alloc(8 * 1024 * 1024, 'y')
    let read = 0
    const all = new Promise<void>((resolve) =>
      stream.on('data', (chunk: Buffer) => {
        read += chunk.length
        if (read === 'hello\n'.length + text.length) resolve()
      }),
    )
    stream.write(text)
    await all
    stream.destroy()
    expect(server.logins).toBe(1)
  })

  it('works over the other transport, too', async () => {
    const { tunnels } = await fresh({ transport: nodeTransport })
    expect(await exchange(await tunnels.connect(request()), 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
  })

  it('keeps what the database says first until somebody listens', async () => {
    const socket = await test.tunnels.connect(request())
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await exchange(socket, 'SELECT 1')).toBe('hello\nSELECT 1goodbye\n')
  })

  it('dials no forbidden address, at the first server or behind it', async () => {
    expect(await failure({ hops: [sshd.hop({ host: '169.254.169.254' })] })).toMatchObject({
      code: 'UPSTREAM_ADDRESS_REFUSED',
    })
    expect(await failure({ target: { host: '169.254.169.254', port: 80 } })).toMatchObject({
      code: 'UPSTREAM_ADDRESS_REFUSED',
    })
    const hops = [sshd.hop(), sshd.hop({ host: '0xa9fea9fe' })]
    expect(await failure({ hops })).toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(await failure({ hops: [sshd.hop({ host: '/run/postern' })] })).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('gives up when it is told to', async () => {
    const controller = new AbortController()
    const attempt = failure({ signal: controller.signal, hops: [sshd.hop({ host: '127.0.0.1', port: 1 })] })
    controller.abort()
    expect(['CANCELLED', 'UPSTREAM_SSH_UNREACHABLE']).toContain((await attempt).code)
  })

  it('leaves nothing behind after 1,000 sessions', { timeout: 60_000 }, async () => {
    const { tunnels, pool, server } = await fresh({ idleMs: 100 })
    const open = async (): Promise<void> => {
      const socket = await tunnels.connect(request())
      await exchange(socket, 'SELECT 1')
    }
    await open()
    await until('the first is over', () => pool.streams === 0 && server.sockets === 0)
    const files = (): number => readdirSync('/proc/self/fd').length
    const before = files()
    for (let round = 0; round < 50; round++) {
      await Promise.all(Array.from({ length: 20 }, open))
      // Some end in the middle, as clients do.
      const cut = await tunnels.connect(request())
      cut.destroy()
    }
    await until('all are over', () => pool.streams === 0 && server.sockets === 0 && pool.size === 0)
    await until('sockets are closed', () => files() <= before && echo.sockets.size === 0)
  })
})
