import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawPgClient } from '../support/raw-pg-client.ts'
import {
  backendKeyOf,
  cancelRequest,
  errorOf,
  gssencRequest,
  message,
  protocol32,
  sslRequest,
  startupMessage,
} from '../support/raw-pg-messages.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'
import { gatewayProcesses, residentBytes } from '../support/processes.ts'

/** Everything that a client may send before it is known, byte by byte. No code is shared with the gateway. */
describe.each(['bun', 'node'])('before the login, on the sockets of %s', (gatewayTransport) => {
  let postern: RunningPostern<DemoReadyFile>
  let credential: string
  let parameters: Record<string, string>
  beforeAll(async () => {
    postern = await startDemo({
      flags: ['--login-timeout-seconds', '4', '--gateway-transport', gatewayTransport],
    })
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    credential = await (await postern.asServicePrincipal(clientId, clientSecret)).mintCredential('sample')
    parameters = { user: clientId, database: postern.ready.database }
  })
  afterAll(() => postern?.stop())

  const { open, openTls, openDirectTls } = RawPgClient
  const at = () => [postern.ready.gatewayHost, postern.ready.gatewayPort] as const
  const tls = () => ({ ca: postern.ca, serverName: 'sample.postern.localhost' })
  const openSecure = () => openTls(...at(), tls())
  const expectStillServing = async () => {
    const client = await openSecure()
    const messages = await client.logIn(parameters, credential)
    expect(messages.at(-1)?.type).toBe('Z')
    expect(await client.query('select 1')).toEqual([['1']])
    client.destroy()
  }

  test('a login that is split at every byte works, TLS by request and direct', async () => {
    const startup = startupMessage(parameters)
    const password = message('p', Buffer.from(`${credential}\0`))
    for (const connect of [openSecure, () => openDirectTls(...at(), tls())]) {
      const client = await connect()
      await client.writeInPieces(startup, 1, 0)
      expect((await client.readMessage()).type).toBe('R')
      await client.writeInPieces(password, 1, 0)
      expect((await client.readUntil('ZE')).at(-1)?.type).toBe('Z')
      client.destroy()
    }
    const split = await open(...at())
    await split.writeInPieces(sslRequest, 1)
    expect((await split.readBytes(1)).toString()).toBe('S')
    split.destroy()
  })

  test('[D2-018] a plaintext StartupMessage is refused with 28000 before a password is asked for', async () => {
    const client = await open(...at())
    await client.startup(parameters)
    const error = errorOf(await client.readMessage())
    expect(error).toMatchObject({ severity: 'FATAL', sqlstate: '28000' })
    expect(error.hint).toContain('sslmode=')
    expect(await client.readToEnd()).toHaveLength(0)
  })

  test('bytes glued behind SSLRequest close the connection: nothing of them is honoured', async () => {
    for (const glued of [startupMessage(parameters), Buffer.from([0]), sslRequest]) {
      const client = await open(...at())
      await client.write(Buffer.concat([sslRequest, glued]))
      expect(await client.readToEnd()).toHaveLength(0)
    }
    await expectStillServing()
  })

  test('GSSENCRequest is answered N, once, and TLS may follow', async () => {
    const client = await open(...at())
    await client.write(gssencRequest)
    expect((await client.readBytes(1)).toString()).toBe('N')
    await client.write(sslRequest)
    expect((await client.readBytes(1)).toString()).toBe('S')
    await client.startTls(tls())
    expect((await client.logIn(parameters, credential)).at(-1)?.type).toBe('Z')
    client.destroy()
    const twice = await open(...at())
    await twice.write(gssencRequest)
    await twice.readBytes(1)
    await twice.write(gssencRequest)
    expect(await twice.readToEnd()).toHaveLength(0)
  })

  test('direct TLS needs ALPN postgresql; another ALPN after SSLRequest is refused too', async () => {
    const bare = await open(...at())
    await bare.startTls(tls()).catch(() => undefined)
    expect(await bare.readToEnd()).toHaveLength(0)
    const right = await openDirectTls(...at(), tls())
    expect(right.alpnProtocol).toBe('postgresql')
    await right.write(sslRequest)
    expect((await right.readBytes(1)).toString()).toBe('N')
    expect((await right.logIn(parameters, credential)).at(-1)?.type).toBe('Z')
    right.destroy()
  })

  test('a second SSLRequest inside TLS is a protocol violation', async () => {
    const client = await openSecure()
    await client.write(sslRequest)
    expect(errorOf(await client.readMessage())).toMatchObject({ sqlstate: '08P01' })
    await client.readToEnd()
  })

  test('oversized, negative and absurd lengths are refused at once and allocate nothing', async () => {
    const lengths = [0, 3, 7, -1, -2147483648, 2147483647, 10_001, 1 << 20]
    for (const length of lengths) {
      const header = Buffer.alloc(8)
      header.writeInt32BE(length)
      header.writeInt32BE(3 << 16, 4)
      const plain = await open(...at())
      await plain.write(header)
      expect(await plain.readToEnd()).toHaveLength(0)
      const secure = await openSecure()
      await secure.write(header)
      expect(errorOf(await secure.readMessage())).toMatchObject({ sqlstate: '08P01' })
      await secure.readToEnd()
    }
    for (const length of [-1, 0, 3, 65_536, 2147483647]) {
      const client = await openSecure()
      await client.startup(parameters)
      await client.readMessage()
      const header = Buffer.from('p\0\0\0\0')
      header.writeInt32BE(length, 1)
      await client.write(header)
      expect(errorOf(await client.readMessage())).toMatchObject({ sqlstate: '08P01' })
      await client.readToEnd()
    }
    await expectStillServing()
  })

  test('garbage of every kind ends in a closed connection, never in a login', async () => {
    const garbage = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'),
      randomBytes(64),
      randomBytes(20_000),
      Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, ...randomBytes(100)]),
    ]
    for (const bytes of garbage) {
      const plain = await open(...at())
      await plain.write(bytes)
      plain.halfClose()
      const answer = await plain.readToEnd()
      expect(answer.includes('R')).toBe(false)
      plain.destroy()
    }
    for (let i = 0; i < 50; i++) {
      const client = await openSecure()
      const packet = startupMessage(parameters)
      packet[4 + Math.floor(Math.random() * (packet.length - 4))] = Math.floor(Math.random() * 256)
      await client.write(packet)
      await client.password('x')
      client.halfClose()
      expect((await client.readToEnd()).includes(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]))).toBe(false)
    }
    await expectStillServing()
  })

  test('a StartupMessage with a repeated user logs in as the one it is authorized for', async () => {
    const client = await openSecure()
    const body = Buffer.from(`user\0postern_admin\0database\0databricks_postgres\0user\0${parameters['user']}\0\0`)
    const packet = Buffer.concat([Buffer.alloc(8), body])
    packet.writeInt32BE(packet.length)
    packet.writeInt32BE(3 << 16, 4)
    await client.write(packet)
    await client.readMessage()
    await client.password(credential)
    expect((await client.readUntil('ZE')).at(-1)?.type).toBe('Z')
    expect(await client.query('select session_user')).toEqual([[parameters['user']]])
    client.destroy()
  })

  test('a newer minor version and unknown protocol options are negotiated, once, and not forwarded', async () => {
    const client = await openSecure()
    await client.startup({ ...parameters, '_pq_.test_protocol_negotiation': '' }, (3 << 16) | 9999)
    const negotiation = await client.readMessage()
    expect(negotiation.type).toBe('v')
    expect(negotiation.body.readInt32BE(0)).toBe(protocol32)
    expect(negotiation.body.toString('latin1', 8)).toBe('_pq_.test_protocol_negotiation\0')
    expect((await client.readMessage()).type).toBe('R')
    await client.password(credential)
    const rest = await client.readUntil('ZE')
    expect(rest.filter((one) => one.type === 'v')).toEqual([])
    expect(backendKeyOf(rest).secret).toHaveLength(32)
    client.destroy()
    const old = await openSecure()
    const messages = await old.logIn(parameters, credential)
    expect(backendKeyOf(messages).secret).toHaveLength(4)
    old.destroy()
    const two = await openSecure()
    await two.startup(parameters, 2 << 16)
    expect(errorOf(await two.readMessage())).toMatchObject({ sqlstate: '0A000' })
  })

  test('a cancellation works in clear, inside TLS and inside direct TLS; a wrong key does nothing', async () => {
    const secureCancels = [() => open(...at()), openSecure, () => openDirectTls(...at(), tls())]
    const observer = await openSecure()
    await observer.logIn(parameters, credential)
    for (const connect of secureCancels) {
      const session = await openSecure()
      const key = backendKeyOf(await session.logIn(parameters, credential))
      const sleeping = session.query('select pg_sleep(20)')
      sleeping.catch(() => undefined)
      // A backend that has not begun yet would ignore the cancellation, as Postgres does.
      const waiting = `select wait_event from pg_stat_activity where pid = ${key.processId}`
      await expect.poll(() => observer.query(waiting)).toEqual([['PgSleep']])
      const wrong = await open(...at())
      await wrong.write(cancelRequest({ ...key, secret: randomBytes(4) }))
      expect(await wrong.readToEnd()).toHaveLength(0)
      const right = await connect()
      await right.write(cancelRequest(key))
      expect(await right.readToEnd()).toHaveLength(0)
      await expect(sleeping).rejects.toThrow('57014')
      expect(await session.query('select 1')).toEqual([['1']])
      session.destroy()
    }
    observer.destroy()
  })

  test('a password of 65,530 bytes is read, one byte more is not', async () => {
    for (const [length, sqlstate] of [
      [65_530, '28P01'],
      [65_531, '08P01'],
    ] as const) {
      const client = await openSecure()
      await client.startup(parameters)
      await client.readMessage()
      await client.password('x'.repeat(length))
      expect(errorOf(await client.readMessage())).toMatchObject({ sqlstate })
      client.destroy()
    }
  })

  test('replication is refused', async () => {
    const client = await openSecure()
    await client.startup({ ...parameters, replication: 'true' })
    expect(errorOf(await client.readMessage())).toMatchObject({ sqlstate: '0A000' })
    client.destroy()
  })

  test('2,000 half-open sockets are held in bounded memory, do not stop a login, and are closed when their time is over', async () => {
    const [pid] = gatewayProcesses(postern.pid)
    const before = residentBytes(pid as number)
    const stages: ((client: RawPgClient) => Promise<void>)[] = [
      async () => undefined,
      (client) => client.write(sslRequest.subarray(0, 5)),
      (client) => client.write(sslRequest),
      (client) => client.write(Buffer.from([0x16, 0x03, 0x01])),
    ]
    const clients: RawPgClient[] = []
    for (let i = 0; i < 2000; i++) {
      const client = await open(...at())
      await stages[i % stages.length]?.(client)
      clients.push(client)
    }
    await expectStillServing()
    expect(residentBytes(pid as number) - before).toBeLessThan(64 * 1024 * 1024)
    await expect.poll(() => clients.every((client) => client.isClosed), { timeout: 15_000 }).toBe(true)
    await expectStillServing()
    for (const client of clients) client.destroy()
  })

  test('nothing of a password reaches the log', () => {
    expect(postern.logs()).not.toContain(credential.slice(-30))
    expect(readFileSync(postern.ready.caFile, 'utf8')).not.toContain('PRIVATE')
  })
})
