import { afterAll, beforeAll, expect, it } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import type { EngineName } from '../../src/contract/engines.ts'
import type { DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import type { EngineSession } from '../../src/engines/engine.ts'
import { loadEngine } from '../../src/engines/registry.ts'
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts'
import { startMariadb, type MariadbServer } from '../support/mariadb-server.ts'
import { describeWith } from '../support/requirements.ts'
import { startTestTunnels, type TestTunnels } from '../support/ssh-tunnels.ts'
import { SshdServer } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

/** Engines whose drivers reach their database in three ways: bytes of ours, a stream of ours, HTTP of ours. */
describeWith(['sshd', 'openssl', 'mariadbd', 'clickhouse-server'], 'engines behind two SSH servers', () => {
  const password = new Secret('through two servers')
  let authority: TestAuthority
  let outer: SshdServer
  let inner: SshdServer
  let tunnels: TestTunnels
  let postgres: UpstreamPostgres
  let mariadb: MariadbServer
  let clickhouse: ClickHouseServer

  beforeAll(async () => {
    authority = createTestAuthority('authority of all')
    const identity = authority.issue(['localhost'])
    ;[outer, inner, tunnels, postgres, mariadb, clickhouse] = await Promise.all([
      SshdServer.start(),
      SshdServer.start(),
      startTestTunnels(),
      startUpstreamPostgres({ tls: identity, hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'] }),
      startMariadb({ identity }),
      startClickHouse(identity),
    ])
    const superuser = await postgres.superuser()
    await superuser.query(`create role keeper login password '${password.reveal()}'`)
    await superuser.end()
    await mariadb.run(
      `create user keeper@'%' identified by '${password.reveal()}' require ssl; grant select on *.* to keeper@'%'`,
    )
  }, 120_000)
  afterAll(async () => {
    await Promise.all([tunnels, outer, inner, postgres, mariadb, clickhouse].map((server) => server?.stop()))
    authority?.remove()
  })

  const cases: readonly [EngineName, () => Partial<DataSourceRoute>, () => Secret][] = [
    ['postgres', () => ({ port: postgres.port, database: 'postgres', username: 'keeper' }), () => password],
    ['mariadb', () => ({ port: mariadb.port, database: 'mysql', username: 'keeper' }), () => password],
    [
      'clickhouse',
      () => ({ port: clickhouse.httpsPort ?? 0, database: 'default', username: 'admin' }),
      () => new Secret(clickhouse.admin.password),
    ],
  ]

  async function open(engineName: EngineName, change: Partial<DataSourceRoute>, secret: Secret, stages: string[] = []) {
    const engine = await loadEngine(engineName)
    const secure = { host: 'localhost', tlsMode: 'verify-full', tlsCa: authority.caPem } as const
    const route = testRoute(0, { engine: engineName, ...secure, ssh: [outer.hop(), inner.hop()], ...change })
    return engine.open(route, {
      dialer: testDialer({ tunnels: tunnels.tunnels }),
      secrets: {
        password: secret,
        'ssh.0.privateKey': new Secret(outer.clientKey),
        'ssh.1.privateKey': new Secret(inner.clientKey),
      },
      purpose: 'read_only',
      timeoutMs: 15_000,
      onStage: (stage) => stages.push(stage),
    })
  }

  async function firstCell(session: EngineSession, statement: string): Promise<unknown> {
    let cell: unknown
    const options = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 }
    for await (const event of session.query(statement, options)) if (event.type === 'rows') cell ??= event.rows[0]?.[0]
    return cell
  }

  it.each(cases)('%s is reached, with TLS to its own name, by the one tunnel', async (engineName, change, secret) => {
    const stages: string[] = []
    const session = await open(engineName, change(), secret(), stages)
    const ssh = ['name', 'tcp', 'ssh_handshake', 'ssh_host_key', 'ssh_login', 'ssh_forward', 'tls', 'login']
    expect(stages.slice(0, ssh.length)).toEqual(ssh)
    expect(await firstCell(session, 'select 40 + 2')).toBe('42')
    await session.close()
    expect([outer.sessions, inner.sessions]).toEqual([1, 1])
    // Asked for by another name, the certificate is refused, and no password was sent.
    const byAddress = { ...change(), host: '127.0.0.1' }
    await expect(open(engineName, byAddress, secret())).rejects.toMatchObject({ code: 'UPSTREAM_TLS_WRONG_NAME' })
  })

  it.each(cases)('%s tells that its tunnel was lost, and works again', async (engineName, change, secret) => {
    const session = await open(engineName, change(), secret())
    const sleep = engineName === 'postgres' ? 'select pg_sleep(20)' : 'select sleep(3)'
    const running = firstCell(session, sleep).then(
      () => 'it was answered',
      (error: { code?: string }) => error.code,
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
    inner.killSessions()
    expect(await running).toMatch(/^UPSTREAM_/)
    await session.close()
    const next = await open(engineName, change(), secret())
    expect(await firstCell(next, 'select 40 + 2')).toBe('42')
    await next.close()
  })
})
