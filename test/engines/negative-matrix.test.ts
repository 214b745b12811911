import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import type { ConnectionStage } from '../../src/contract/connection-reports.ts'
import type { EngineName } from '../../src/contract/engines.ts'
import type { DataSourceRoute, SshHop } from '../../src/dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../src/dialer/data-source-secrets.ts'
import type { InstanceDependencies } from '../../src/instances/instance-dependencies.ts'
import { testConnection } from '../../src/instances/test-connection.ts'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { startBlackHole } from '../support/black-hole.ts'
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts'
import { startFakeUpstream } from '../support/fake-upstream.ts'
import { startMariadb } from '../support/mariadb-server.ts'
import { describeWith } from '../support/requirements.ts'
import { startTestTunnels, type TestTunnels } from '../support/ssh-tunnels.ts'
import { makeKey, SshdServer } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'
import { startStartTlsUpstream } from '../support/start-tls-upstream.ts'
import { startClientCertificateServer, startTlsServer } from '../support/tls-server.ts'
import { startUpstreamPostgres } from '../support/upstream-postgres.ts'

type Family = 'postgres' | 'mysql' | 'clickhouse'
const FAMILIES: readonly Family[] = ['postgres', 'mysql', 'clickhouse']
const ENGINE: Readonly<Record<Family, EngineName>> = {
  postgres: 'postgres',
  mysql: 'mariadb',
  clickhouse: 'clickhouse',
}
const PASSWORD = 'the password that nobody may see'

describeWith(['openssl', 'mariadbd', 'clickhouse-server', 'sshd'], 'what goes wrong on the way to a database', () => {
  const closing: (() => unknown)[] = []
  let authority: TestAuthority
  let stranger: TestAuthority
  let tunnels: TestTunnels
  let ports: Record<Family, number>
  let clickhouse: ClickHouseServer
  let plainMariadbPort: number

  beforeAll(async () => {
    authority = createTestAuthority('Matrix authority')
    stranger = createTestAuthority('Another authority')
    tunnels = await startTestTunnels()
    const identity = authority.issue(['localhost'])
    const [postgres, mariadb, plainMariadb, house] = await Promise.all([
      startUpstreamPostgres({ tls: identity, hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'] }),
      startMariadb({ identity }),
      startMariadb(),
      startClickHouse(identity),
    ])
    clickhouse = house
    ports = { postgres: postgres.port, mysql: mariadb.port, clickhouse: house.httpsPort ?? 0 }
    plainMariadbPort = plainMariadb.port
    for (const server of [postgres, mariadb, plainMariadb, house, tunnels]) closing.push(() => server.stop())
    closing.push(
      () => authority.remove(),
      () => stranger.remove(),
    )
  }, 120_000)
  afterAll(async () => {
    for (const close of closing.splice(0)) await close()
  })

  /** The way to a family's database as it should be, and what is changed of it. */
  function routeTo(family: Family, change: Partial<DataSourceRoute> = {}): DataSourceRoute {
    return testRoute(ports[family], {
      engine: ENGINE[family],
      host: 'localhost',
      database: family === 'postgres' ? 'postgres' : '',
      username: 'admin',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      ...change,
    })
  }

  interface Failure {
    readonly code: string | undefined
    readonly stage: string
    readonly action: string
    readonly passed: readonly string[]
  }

  /** The stage at which the connection test ends. */
  async function fail(
    family: Family,
    change: Partial<DataSourceRoute> = {},
    secrets: DataSourceSecrets = {},
  ): Promise<Failure> {
    const deps = {
      dialer: testDialer({ tunnels: tunnels.tunnels }),
      egressAddresses: ['192.0.2.10'],
      surroundings: { inContainer: false, platform: 'linux' },
    } as unknown as InstanceDependencies
    const seen: ConnectionStage[] = []
    const subject = {
      name: 'admin',
      route: routeTo(family, change),
      purpose: 'admin',
      openSecrets: async () => ({ password: new Secret(PASSWORD), ...secrets }),
    } as const
    const test = await testConnection(deps, subject, { onStage: (_, stage) => seen.push(stage) })
    expect(test.report.ok).toBe(false)
    const last = test.report.stages.at(-1)
    expect(seen.map(({ stage }) => stage)).toEqual(test.report.stages.map(({ stage }) => stage))
    expect(JSON.stringify(test.report)).not.toContain(PASSWORD)
    return {
      code: last?.code,
      stage: last?.stage ?? '',
      action: last?.action ?? '',
      passed: test.report.stages.slice(0, -1).map(({ stage }) => stage),
    }
  }

  const failure = (stage: string, code: string, action: RegExp): unknown =>
    expect.objectContaining({ stage, code, action: expect.stringMatching(action) })

  /** The family's way to begin TLS in front of a TLS server. */
  async function portOf(family: Family, tlsPort: number): Promise<number> {
    if (family === 'clickhouse') return tlsPort
    const upstream = await startStartTlsUpstream(family, tlsPort)
    closing.push(() => upstream.stop())
    return upstream.port
  }

  const certificates: [string, () => TlsIdentity, string, RegExp][] = [
    ['expired', () => authority.issue(['localhost'], -1), 'UPSTREAM_TLS_EXPIRED', /Renew/],
    ['self-signed', () => selfSigned(stranger), 'UPSTREAM_TLS_SELF_SIGNED', /as the certificate authority/],
    ['for another name', () => authority.issue(['db.example.test']), 'UPSTREAM_TLS_WRONG_NAME', /host name that/],
    ['of another authority', () => stranger.issue(['localhost']), 'UPSTREAM_TLS_UNTRUSTED', /tlsCa/],
  ]
  const cells = certificates.flatMap((row) => FAMILIES.map((family) => [row[0], family, row] as const))
  it.each(cells)('a certificate that is %s (%s) ends before anything is said', async (_, family, row) => {
    const [, identity, code, advice] = row
    const server = await startTlsServer(identity())
    closing.push(() => server.stop())
    const port = await portOf(family, server.port)
    expect(await fail(family, { port })).toEqual(failure('tls', code, advice))
    expect(server.received().toString('latin1')).toBe('')
  })

  describe.each(FAMILIES)('%s', (family) => {
    it('a client certificate that is missing or of a stranger', async () => {
      const server = await startClientCertificateServer(authority.issue(['localhost']), authority.caPem)
      closing.push(() => server.stop())
      const port = await portOf(family, server.port)
      const missing = await fail(family, { port })
      expect(missing).toMatchObject({
        code: 'UPSTREAM_TLS_CLIENT_CERTIFICATE',
        action: expect.stringMatching(/expects/),
      })
      const client = stranger.issue(['client.test'])
      const strange = await fail(
        family,
        { port, tlsClientCertificate: client.certificateChainPem },
        { tlsClientKey: new Secret(client.privateKeyPem) },
      )
      expect(strange).toMatchObject({
        code: 'UPSTREAM_TLS_CLIENT_CERTIFICATE',
        action: expect.stringMatching(/trusts/),
      })
    })

    it('a wrong password', async () => {
      expect(await fail(family)).toEqual(failure('login', 'UPSTREAM_AUTH_FAILED', /./))
    })

    it('a closed port', async () => {
      expect(await fail(family, { port: 1 })).toEqual(failure('tcp', 'UPSTREAM_PORT_CLOSED', /Check the port/))
    })

    it('an unknown name', async () => {
      expect(await fail(family, { host: 'no-such-host.invalid' })).toEqual(
        failure('name', 'UPSTREAM_NAME_UNKNOWN', /host name/),
      )
    })

    it('an address that is never dialled', async () => {
      expect(await fail(family, { host: '169.254.169.254' })).toEqual(failure('name', 'UPSTREAM_ADDRESS_REFUSED', /./))
    })

    it('a server that knows no TLS', async () => {
      const refusing = await startFakeUpstream((socket) => socket.write('N'))
      closing.push(() => refusing.stop())
      const port = { postgres: refusing.port, mysql: plainMariadbPort, clickhouse: clickhouse.httpPort }[family]
      expect(await fail(family, { port })).toEqual(failure('tls', 'UPSTREAM_TLS_REFUSED', /disable|HTTPS/))
    })
  })

  it.runIf(process.platform === 'linux')('packets that are dropped, with the addresses to allow', async () => {
    const hole = await startBlackHole()
    closing.push(() => hole.stop())
    const failures = await Promise.all(FAMILIES.map((family) => fail(family, { host: '127.0.0.1', port: hole.port })))
    for (const each of failures) {
      expect(each).toEqual(failure('tcp', 'UPSTREAM_TIMED_OUT', /firewall.*192\.0\.2\.10/))
    }
  })

  it('another protocol on the port: each is called by its name', async () => {
    const web = createHttpServer((_request, response) => response.writeHead(404).end())
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
    const http = (web.address() as AddressInfo).port
    const tls = await startTlsServer(authority.issue(['localhost']))
    const sshd = await SshdServer.start()
    closing.push(
      () => web.close(),
      () => tls.stop(),
      () => sshd.stop(),
    )
    const noTls = { tlsMode: 'disable', tlsCa: null } as const
    const rows: [Family, Partial<DataSourceRoute>, string, RegExp][] = [
      ['postgres', { port: http }, 'UPSTREAM_PROTOCOL', /port of the database itself/],
      ['mysql', { port: http }, 'UPSTREAM_PROTOCOL', /port of the database itself/],
      ['clickhouse', { port: http, ...noTls, username: 'open' }, 'UPSTREAM_PROTOCOL', /8443/],
      ['postgres', { port: tls.port }, 'UPSTREAM_TLS_ON_PLAIN_PORT', /./],
      ['mysql', { port: tls.port }, 'UPSTREAM_TLS_ON_PLAIN_PORT', /./],
      ['clickhouse', { port: ports.clickhouse, ...noTls }, 'UPSTREAM_TLS_ON_PLAIN_PORT', /verify-full/],
      ['clickhouse', { port: clickhouse.nativePort, ...noTls }, 'UPSTREAM_PROTOCOL', /HTTPS port/],
      ['postgres', { port: sshd.port }, 'UPSTREAM_PROTOCOL', /port of the database/],
      ['mysql', { port: sshd.port }, 'UPSTREAM_PROTOCOL', /port of the database/],
      ['postgres', { port: ports.mysql }, 'UPSTREAM_PROTOCOL', /MySQL/],
    ]
    const found = await Promise.all(
      rows.map(([family, change]) =>
        // Without a password, which would not be sent in the clear anyway.
        fail(family, change, change.tlsMode === 'disable' ? { password: new Secret('') } : {}),
      ),
    )
    expect(found.map(({ code }) => code)).toEqual(rows.map(([, , code]) => code))
    for (const [index, [, , , advice]] of rows.entries()) expect(found[index]?.action).toMatch(advice)
  })

  describe.each(FAMILIES)('SSH on the way to %s', (family) => {
    let sshd: SshdServer
    let chacha: SshdServer
    let closed: SshdServer
    let folder: string
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'matrix-keys-'))
      ;[sshd, chacha, closed] = await Promise.all([
        SshdServer.start(),
        SshdServer.start({ settings: ['Ciphers chacha20-poly1305@openssh.com'] }),
        SshdServer.start({ settings: ['AllowTcpForwarding no'] }),
      ])
      return async () => {
        await Promise.all([sshd.stop(), chacha.stop(), closed.stop()])
        rmSync(folder, { recursive: true })
      }
    }, 60_000)

    const key = (text: string, passphrase?: string): DataSourceSecrets => ({
      'ssh.0.privateKey': new Secret(text),
      ...(passphrase !== undefined && { 'ssh.0.passphrase': new Secret(passphrase) }),
    })

    it('each failure has its own code, stage and advice', async () => {
      const unknown = makeKey(join(folder, 'unknown'), 'ed25519').text
      const locked = makeKey(join(folder, 'locked'), 'ed25519', 'right passphrase').text
      const rows: [string, SshHop, DataSourceSecrets, string, string, RegExp][] = [
        ['refused', sshd.hop({ port: 1 }), key(sshd.clientKey), 'tcp', 'UPSTREAM_SSH_UNREACHABLE', /port/],
        [
          'not pinned',
          sshd.hop({ hostKey: null }),
          key(sshd.clientKey),
          'ssh_host_key',
          'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
          /ssh-keygen -l/,
        ],
        [
          'another host key',
          sshd.hop({ hostKey: `SHA256:${'A'.repeat(43)}` }),
          key(sshd.clientKey),
          'ssh_host_key',
          'UPSTREAM_SSH_HOST_KEY_CHANGED',
          /in between/,
        ],
        ['wrong key', sshd.hop(), key(unknown), 'ssh_login', 'UPSTREAM_SSH_AUTH_FAILED', /authorized_keys/],
        ['wrong passphrase', sshd.hop(), key(locked, 'wrong'), '', 'UPSTREAM_SSH_KEY_UNREADABLE', /passphrase/],
        ['chacha20 only', chacha.hop(), key(chacha.clientKey), 'ssh_handshake', 'UPSTREAM_SSH_PROTOCOL', /aes/],
        [
          'no forwarding',
          closed.hop(),
          key(closed.clientKey),
          'ssh_forward',
          'UPSTREAM_SSH_FORWARD_REFUSED',
          /AllowTcpForwarding/,
        ],
      ]
      for (const [name, hop, secrets, stage, code, advice] of rows) {
        const found = await fail(family, { ssh: [hop] }, secrets)
        expect({ name, ...found }).toMatchObject({ name, code, action: expect.stringMatching(advice) })
        if (stage !== '') expect({ name, stage: found.stage }).toEqual({ name, stage })
      }
    })

    it('passes all of them before a wrong password', async () => {
      const found = await fail(family, { ssh: [sshd.hop()] }, key(sshd.clientKey))
      expect(found).toMatchObject({ stage: 'login', code: 'UPSTREAM_AUTH_FAILED' })
      expect(found.passed).toEqual(
        expect.arrayContaining(['secret', 'ssh_handshake', 'ssh_host_key', 'ssh_login', 'ssh_forward', 'tls']),
      )
    })
  })
})

/** The authority's own certificate, for a server: signed by the key that it holds. */
function selfSigned(authority: TestAuthority): TlsIdentity {
  return { certificateChainPem: authority.caPem, privateKeyPem: authority.caKeyPem }
}
