import type { Socket } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startFakeUpstream, type FakeUpstream } from '../../../test/support/fake-upstream.ts'
import { describeWith } from '../../../test/support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../../../test/support/test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../../test/support/upstream-postgres.ts'
import { testDialer } from '../../../test/support/test-dialer.ts'
import { Secret } from '../../base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import {
  writeAuthenticationCleartextPassword,
  writeAuthenticationOk,
  writeAuthenticationSasl,
  writeAuthenticationSaslContinue,
} from '../../pgwire/authentication-request.ts'
import { writeReadyForQuery } from '../../pgwire/backend-messages.ts'
import { postgresEngine } from './index.ts'

const PASSWORD = 'correct horse battery staple'
const dialer = testDialer()

function routeTo(port: number, change: Partial<DataSourceRoute> = {}): DataSourceRoute {
  return {
    ...PLAIN_ROUTE,
    engine: 'postgres',
    host: '127.0.0.1',
    port,
    database: 'postgres',
    username: 'admin_user',
    loginMethod: 'password',
    tlsMode: 'disable',
    tlsCa: null,
    ...change,
  }
}

async function openAndClose(route: DataSourceRoute, timeoutMs = 2_000): Promise<void> {
  const session = await postgresEngine.roleLogin!.openRoleSession(route, {
    dialer,
    secrets: { password: new Secret(PASSWORD) },
    timeoutMs,
  })
  await session.close()
}

function authentication(method: number, rest = ''): Buffer {
  const bytes = Buffer.alloc(9 + rest.length)
  bytes.write('R')
  bytes.writeInt32BE(8 + rest.length, 1)
  bytes.writeInt32BE(method, 5)
  bytes.write(rest, 9, 'latin1')
  return bytes
}

describe('a hostile server', () => {
  const open: FakeUpstream[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.stop()))
  })
  async function listening(answer: (socket: Socket, chunk: Buffer, index: number) => void): Promise<FakeUpstream> {
    const server = await startFakeUpstream(answer)
    open.push(server)
    return server
  }
  function holdsNoPassword(server: FakeUpstream): void {
    const received = server.received().toString('latin1')
    expect(received).toContain('admin_user')
    expect(received).not.toContain(PASSWORD)
    // md5 of a password is the letters md5 and 32 hex digits; nothing of that form was sent either.
    expect(received).not.toMatch(/md5[0-9a-f]{32}/)
  }

  it('that asks for the password in clear text without TLS captures nothing', async () => {
    const server = await listening((socket) => socket.write(writeAuthenticationCleartextPassword()))
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    holdsNoPassword(server)
  })

  it('that asks for it as md5 captures nothing', async () => {
    const server = await listening((socket) => socket.write(authentication(5, 'salt')))
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    holdsNoPassword(server)
  })

  it('that begins with SCRAM and then asks for clear text captures nothing', async () => {
    const server = await listening((socket, _, index) =>
      socket.write(index === 0 ? writeAuthenticationSasl(['SCRAM-SHA-256']) : writeAuthenticationCleartextPassword()),
    )
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    holdsNoPassword(server)
  })

  it('is not believed when it says AuthenticationOk in the middle of SCRAM', async () => {
    const server = await listening((socket, chunk, index) => {
      if (index === 0) socket.write(writeAuthenticationSasl(['SCRAM-SHA-256']))
      else if (index === 1) {
        const nonce = /r=([^,]+)/.exec(chunk.toString('latin1'))?.[1] ?? ''
        socket.write(writeAuthenticationSaslContinue(Buffer.from(`r=${nonce}more,s=c2FsdHNhbHQ=,i=4096`)))
      } else socket.write(Buffer.concat([writeAuthenticationOk(), writeReadyForQuery('I')]))
    })
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
  })

  it('that proves nothing at the end of SCRAM is refused', async () => {
    const server = await listening((socket, chunk, index) => {
      if (index === 0) socket.write(writeAuthenticationSasl(['SCRAM-SHA-256']))
      else if (index === 1) {
        const nonce = /r=([^,]+)/.exec(chunk.toString('latin1'))?.[1] ?? ''
        socket.write(writeAuthenticationSaslContinue(Buffer.from(`r=${nonce}more,s=c2FsdHNhbHQ=,i=4096`)))
      } else
        socket.write(
          Buffer.concat([authentication(12, 'v=d3Jvbmc='), writeAuthenticationOk(), writeReadyForQuery('I')]),
        )
    })
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
  })

  it.each<[string, Buffer, string]>([
    [
      'an ErrorResponse without an end, at which the driver alone would loop for ever',
      Buffer.from('E\0\0\0\x0aSFATAL', 'latin1'),
      'UPSTREAM_PROTOCOL',
    ],
    ['an authentication method that the driver throws at', authentication(7), 'UPSTREAM_AUTH_UNSAFE'],
    ['an authentication request cut short', Buffer.from('R\0\0\0\x06\0\0', 'latin1'), 'UPSTREAM_PROTOCOL'],
    ['a message of two gigabytes', Buffer.from('R\x7f\xff\xff\xff', 'latin1'), 'UPSTREAM_PROTOCOL'],
    ['a negative length', Buffer.from('R\xff\xff\xff\xff', 'latin1'), 'UPSTREAM_PROTOCOL'],
    ['rows before the login', Buffer.from('D\0\0\0\x06\0\0', 'latin1'), 'UPSTREAM_PROTOCOL'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'UPSTREAM_PROTOCOL'],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'UPSTREAM_PROTOCOL'],
  ])('that answers with %s is left', async (_, bytes, code) => {
    const server = await listening((socket) => socket.write(bytes))
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code })
  })

  it('that sends a malformed row after the login breaks the session and nothing else', async () => {
    const server = await listening((socket, _, index) =>
      socket.write(
        index === 0
          ? Buffer.concat([writeAuthenticationOk(), writeReadyForQuery('I')])
          : Buffer.from('T\0\0\0\x06\x7f\xff', 'latin1'),
      ),
    )
    await expect(openAndClose(routeTo(server.port))).rejects.toMatchObject({ code: 'UPSTREAM_PROTOCOL' })
  })

  it('that falls silent is left after the time that was given', async () => {
    const server = await listening(() => undefined)
    await expect(openAndClose(routeTo(server.port), 200)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })
})

describeWith(['openssl'], 'a real server that wants the password itself', () => {
  let authority: TestAuthority
  let upstream: UpstreamPostgres
  beforeAll(async () => {
    authority = createTestAuthority('Upstream authority')
    upstream = await startUpstreamPostgres({
      tls: authority.issue(['localhost']),
      hba: ['host all admin_user 127.0.0.1/32 password', 'host all md5_user 127.0.0.1/32 md5'],
    })
    const superuser = await upstream.superuser()
    await superuser.query(`create role admin_user login password '${PASSWORD}'`)
    await superuser.query(`set password_encryption = 'md5'; create role md5_user login password '${PASSWORD}'`)
    await superuser.end()
    return async () => {
      await upstream.stop()
      authority.remove()
    }
  }, 60_000)

  it.each(['admin_user', 'md5_user'])('gets it over verified TLS only: %s', async (username) => {
    const verified = { host: 'localhost', username, tlsMode: 'verify-full', tlsCa: authority.caPem } as const
    await openAndClose(routeTo(upstream.port, verified))
    await openAndClose(routeTo(upstream.port, { ...verified, host: '127.0.0.1', tlsMode: 'verify-ca' }))
    for (const tlsMode of ['require', 'disable'] as const) {
      await expect(openAndClose(routeTo(upstream.port, { username, tlsMode }))).rejects.toMatchObject({
        code: 'UPSTREAM_AUTH_UNSAFE',
      })
    }
  })
})
