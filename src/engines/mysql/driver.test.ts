import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  authMore,
  authSwitch,
  localInfile,
  OK,
  startFakeGreeting,
  startFakeMysql,
  textResult,
  type FakeMysql,
} from '../../../test/support/fake-mysql.ts'
import { startMariadb, type MariadbServer } from '../../../test/support/mariadb-server.ts'
import { describeWith } from '../../../test/support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../../../test/support/test-certificates.ts'
import { testDialer } from '../../../test/support/test-dialer.ts'
import { testRoute } from '../../../test/support/test-route.ts'
import { Secret } from '../../base/secret.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { EngineSession } from '../engine.ts'
import { mysqlEngine } from './index.ts'

const PASSWORD = 'correct horse battery staple'

function open(port: number, change: Partial<DataSourceRoute> = {}, timeoutMs = 2_000): Promise<EngineSession> {
  const route = testRoute(port, { engine: 'mysql', database: '', username: 'admin_user', ...change })
  const secrets = { password: new Secret(PASSWORD) }
  return mysqlEngine.open(route, { dialer: testDialer(), secrets, purpose: 'admin', timeoutMs })
}

describe('a hostile server', () => {
  const running: FakeMysql[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()))
  })
  async function started(server: Promise<FakeMysql>): Promise<FakeMysql> {
    running.push(await server)
    return server
  }
  function holdsNoPassword(server: FakeMysql): void {
    const received = server.received().toString('latin1')
    expect(received).toContain('admin_user')
    expect(received).not.toContain(PASSWORD)
  }

  it.each(['mysql_clear_password', 'sha256_password'])(
    'that asks for the password by %s captures nothing',
    async (name) => {
      const server = await started(startFakeMysql([authSwitch(name), OK]))
      await expect(open(server.port)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
      holdsNoPassword(server)
    },
  )

  it('that asks for it after caching_sha2_password captures nothing', async () => {
    const server = await started(startFakeMysql([authSwitch('caching_sha2_password'), authMore(Buffer.from([4])), OK]))
    await expect(open(server.port)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    holdsNoPassword(server)
  })

  it('that offers a public key of its own to encrypt it with captures nothing', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))
    const server = await started(startFakeMysql([authSwitch('caching_sha2_password'), authMore(pem), OK]))
    await expect(open(server.port)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
    // 256 bytes would be the password under that key.
    expect(server.received().length).toBeLessThan(256)
    holdsNoPassword(server)
  })

  it.each(['mysql_old_password', 'dialog', 'toString', '__proto__'])(
    'that wants a login method that we do not have, %s, is left',
    async (name) => {
      const server = await started(startFakeMysql([authSwitch(name), OK]))
      await expect(open(server.port)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
      holdsNoPassword(server)
    },
  )

  it('that asks for a file gets nothing of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'infile-'))
    const path = join(folder, 'private')
    writeFileSync(path, 'content that is nobody else’s')
    try {
      const server = await started(startFakeMysql([OK, [localInfile(path)], [localInfile(path)]]))
      await expect(open(server.port)).rejects.toMatchObject({ code: expect.stringMatching(/^UPSTREAM_/) })
      expect(server.received().toString()).not.toContain('nobody else')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('that offers no TLS is told nothing where the route asks for it', async () => {
    const server = await started(startFakeMysql([OK]))
    await expect(open(server.port, { tlsMode: 'require' })).rejects.toMatchObject({ code: 'UPSTREAM_TLS_REFUSED' })
    expect(server.received().toString('latin1')).not.toContain('admin_user')
  })

  it.each<[string, Buffer, string]>([
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'UPSTREAM_PROTOCOL'],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'UPSTREAM_PROTOCOL'],
    ['a packet of sixteen megabytes', Buffer.from([0xff, 0xff, 0xff, 0, 10]), 'UPSTREAM_PROTOCOL'],
    ['a greeting cut short', Buffer.from([2, 0, 0, 0, 10, 56]), 'UPSTREAM_UNREACHABLE'],
    ['an empty packet and nothing more', Buffer.from([0, 0, 0, 0]), 'UPSTREAM_UNREACHABLE'],
    ['the protocol of MySQL 3', Buffer.from([5, 0, 0, 0, 9, 51, 46, 50, 0]), 'UPSTREAM_PROTOCOL'],
    [
      'too many sessions',
      Buffer.concat([Buffer.from([23, 0, 0, 0, 0xff, 0x10, 0x04]), Buffer.from('Too many connections')]),
      'UPSTREAM_UNREACHABLE',
    ],
  ])('that begins with %s is left', async (_, bytes, code) => {
    const server = await started(startFakeGreeting(bytes))
    await expect(open(server.port, {}, 500)).rejects.toMatchObject({ code: expect.stringContaining(code) })
  })

  it('that sends a row cut short after the login breaks the session and nothing else', async () => {
    const endless = Buffer.from([200, 1, 2])
    const server = await started(startFakeMysql([OK, [...textResult('version', '8.0.36').slice(0, 3), endless]]))
    await expect(open(server.port, {}, 1_000)).rejects.toMatchObject({ code: expect.stringMatching(/^UPSTREAM_/) })
  })

  it.each<[string, Buffer[]]>([
    ['at once', []],
    ['after the login', [OK]],
  ])('that falls silent %s is left after the time that was given', async (_, answers) => {
    const server = await started(startFakeMysql(answers))
    await expect(open(server.port, {}, 200)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })
})

describeWith(['openssl', 'mariadbd'], 'a real server that wants the password itself', () => {
  let authority: TestAuthority
  let server: MariadbServer
  beforeAll(async () => {
    authority = createTestAuthority('MariaDB authority')
    server = await startMariadb({
      identity: authority.issue(['localhost', '127.0.0.1']),
      settings: ['--plugin-load-add=auth_pam', '--pam-use-cleartext-plugin=ON'],
    })
    await server.run(
      `create user admin_user@'%' identified by '${PASSWORD}'`,
      `create user strict_user@'%' identified by '${PASSWORD}' require ssl`,
      `create user pam_user@'%' identified via pam using 'postern-no-such-service'`,
    )
    return async () => {
      await server.stop()
      authority.remove()
    }
  }, 60_000)

  it('gets it over verified TLS only', async () => {
    const verified = {
      host: 'localhost',
      username: 'pam_user',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
    } as const
    // It asks for mysql_clear_password, is given the password, and then refuses it: there is no such service.
    await expect(open(server.port, verified, 10_000)).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
    for (const tlsMode of ['require', 'disable'] as const) {
      await expect(open(server.port, { username: 'pam_user', tlsMode })).rejects.toMatchObject({
        code: 'UPSTREAM_AUTH_UNSAFE',
      })
    }
  })

  it.each(['verify-full', 'verify-ca', 'require', 'disable'] as const)(
    'admits a native password with %s',
    async (tlsMode) => {
      const tlsCa = tlsMode.startsWith('verify') ? authority.caPem : null
      const session = await open(server.port, { tlsMode, tlsCa })
      await session.ping()
      await session.close()
    },
  )

  it('says that an account wants TLS', async () => {
    await expect(open(server.port, { username: 'strict_user' })).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
  })

  it('is not trusted with a certificate of another authority', async () => {
    const other = createTestAuthority('Another authority')
    await expect(open(server.port, { tlsMode: 'verify-ca', tlsCa: other.caPem })).rejects.toMatchObject({
      code: expect.stringMatching(/^UPSTREAM_TLS_/),
    })
    other.remove()
  })
})

describeWith(['mariadbd'], 'settings of a data source', () => {
  let server: MariadbServer
  beforeAll(async () => {
    server = await startMariadb({ settings: ['--sql-mode=ANSI_QUOTES'] })
    await server.run(`create user admin_user@'%' identified by '${PASSWORD}'; grant all on *.* to admin_user@'%'`)
    return () => server.stop()
  }, 60_000)

  it('are the session’s', async () => {
    const extraParameters = {
      charset: 'latin1',
      timezone: '+02:00',
      sql_mode: 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES',
    }
    const session = await open(server.port, { extraParameters })
    const statement = 'select @@character_set_client, @@time_zone, @@sql_mode, cast(_latin1 0xe4 as char) as a_umlaut'
    const rows: unknown[] = []
    for await (const event of session.query(statement, { signal: AbortSignal.timeout(5_000), timeoutMs: 5_000 })) {
      if (event.type === 'rows') rows.push(...event.rows)
    }
    expect(rows).toEqual([['latin1', '+02:00', 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES', 'ä']])
    await session.close()
  })
})
