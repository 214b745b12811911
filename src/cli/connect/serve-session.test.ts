import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { createTestAuthority } from '../../../test/support/test-certificates.ts'
import { Secret } from '../../base/secret.ts'
import { writeAuthenticationCleartextPassword, writeAuthenticationOk } from '../../pgwire/authentication-request.ts'
import { writeCancelRequest, writePasswordMessage, writeStartupMessage } from '../../pgwire/frontend-messages.ts'
import { writeSslRequest } from '../../pgwire/frontend-messages.ts'
import { CliError } from '../cli-error.ts'
import { openGateway } from './open-gateway.ts'
import { type LocalSession, serveSession } from './serve-session.ts'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A gateway that answers the n-th thing it receives with the n-th answer, and a tool in front of our side. */
async function serve(answers: readonly Uint8Array[], over: Partial<LocalSession> = {}) {
  const received: Buffer[] = []
  const gatewayPort = await listen(
    createServer((socket) => {
      let turn = 0
      ends.push(() => socket.destroy())
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        received.push(chunk)
        const answer = answers[turn++]
        if (answer !== undefined) socket.write(answer)
        else socket.end()
      })
    }),
  )
  const session: LocalSession = {
    localPassword: new Secret('local'),
    openGateway: () => connect(gatewayPort),
    credential: () => Promise.resolve(new Secret('eyJ.credential')),
    ...over,
  }
  const port = await listen(createServer((client) => void serveSession(client, session)))
  const tool = await connect(port)
  const got: Buffer[] = []
  tool.on('data', (chunk) => got.push(chunk))
  const closed = new Promise<void>((resolve) => tool.once('close', () => resolve()))
  const read = () => Buffer.concat(got).toString('latin1')
  const sent = () => Buffer.concat(received).toString('latin1')
  /** Until the tool has read something that holds `text`. */
  const until = async (text: string) => {
    while (!read().includes(text)) await new Promise((resolve) => tool.once('data', resolve))
  }
  return { tool, closed, read, sent, until }
}

function connect(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () => resolve(socket))
    socket.on('error', reject)
    ends.push(() => socket.destroy())
  })
}

const startup = writeStartupMessage(
  new Map([
    ['user', 'ann'],
    ['database', 'shop'],
  ]),
)
const asks = writeAuthenticationCleartextPassword()
const admits = Buffer.concat([writeAuthenticationOk(), Buffer.from('Z\0\0\0\x05I', 'latin1')])

describe('a session of a local tool', () => {
  test('the tool gives the local password, the gateway gets the credential, and neither sees the other', async () => {
    const { tool, read, sent, until } = await serve([asks, admits, Buffer.from('answer')])
    tool.write(startup)
    await until('R')
    tool.write(writePasswordMessage('local'))
    await until('Z')
    tool.write('query')
    await until('answer')
    expect(sent()).toBe(
      Buffer.concat([startup, writePasswordMessage('eyJ.credential'), Buffer.from('query')]).toString('latin1'),
    )
    expect(read()).not.toContain('eyJ')
  })

  test('there is no TLS on loopback: `N`, and the session goes on in clear', async () => {
    const { tool, until } = await serve([asks])
    tool.write(writeSslRequest())
    await until('N')
    tool.write(startup)
    await until('R')
  })

  test.each(['guessed', ''])('a wrong local password (%j) brings no credential to the gateway', async (password) => {
    const { tool, closed, read, sent, until } = await serve([asks, admits])
    tool.write(startup)
    await until('R')
    tool.write(writePasswordMessage(password))
    await closed
    expect(read()).toContain('28P01')
    expect(sent()).toBe(Buffer.from(startup).toString('latin1'))
  })

  test('a gateway that asks for no password lets nobody in past the local password', async () => {
    const { tool, closed, read } = await serve([admits])
    tool.write(startup)
    await closed
    expect(read()).toContain('another kind of authentication')
    expect(read()).not.toContain('R\0\0\0\x08\0\0\0\0')
  })

  test('a person who is signed out is told so by the tool', async () => {
    const refusal = new CliError('denied', 'the sign-in has expired', { hint: 'Run `postern login`.' })
    const { tool, closed, read, until } = await serve([asks], { credential: () => Promise.reject(refusal) })
    tool.write(startup)
    await until('R')
    tool.write(writePasswordMessage('local'))
    await closed
    expect(read()).toMatch(/28000[^]*the sign-in has expired[^]*Run `postern login`/)
  })

  test('a cancel request passes as it is, and closes when the gateway does', async () => {
    const cancel = writeCancelRequest(7, Buffer.from('key of 32 bytes, as protocol 3.2'))
    const { tool, closed, sent } = await serve([])
    tool.write(cancel)
    await closed
    expect(sent()).toBe(Buffer.from(cancel).toString('latin1'))
  })

  test.each([
    ['a length that nothing has', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['requests for encryption without end', Buffer.concat(Array.from({ length: 5 }, () => writeSslRequest()))],
  ])('%s is closed, and reaches no gateway', async (_name, bytes) => {
    const { tool, closed, sent } = await serve([asks])
    tool.on('error', () => undefined)
    tool.write(bytes)
    await closed
    expect(sent()).toBe('')
  })
})

test('a gateway whose certificate is not trusted, or is for another name, is sent nothing', async () => {
  const ours = createTestAuthority('ours')
  const theirs = createTestAuthority('theirs')
  ends.push(
    () => ours.remove(),
    () => theirs.remove(),
  )
  const { certificateChainPem: cert, privateKeyPem: key } = theirs.issue(['localhost'])
  const received: Buffer[] = []
  const port = await listen(
    createTlsServer({ key, cert, ALPNProtocols: ['postgresql'] }, (socket) => {
      socket.on('data', (chunk) => received.push(chunk))
      socket.on('error', () => undefined)
    }),
  )
  await expect(openGateway({ host: 'localhost', port, ca: ours.caPem })).rejects.toMatchObject({
    failure: 'unreachable',
    message: expect.stringMatching(/UNABLE_TO|SELF_SIGNED|UNTRUSTED/),
  })
  const elsewhere = 'sample.postern.localhost'
  await expect(openGateway({ host: elsewhere, port, ca: theirs.caPem })).rejects.toMatchObject({
    failure: 'unreachable',
    message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
  })
  const trusted = await openGateway({ host: 'localhost', port, ca: theirs.caPem })
  trusted.destroy()
  expect(received).toEqual([])
})
