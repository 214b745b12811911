import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'

/** Access that is taken away between the decision about a login and its session. */
describe('a login that is under way when its access is taken away', () => {
  let fixture: GatewayFixture
  beforeAll(async () => {
    fixture = await startGatewayFixture()
  })
  afterAll(() => fixture?.stop())

  test('does not leave an open session on an instance that ends such', async () => {
    const { store, upstream, login, gateway } = fixture
    await store.pool.query('update instance set end_sessions_on_revocation = true')
    const superuser = await upstream.superuser()
    // The database answers no login while somebody holds its roles.
    await superuser.query('begin; lock table pg_catalog.pg_authid in access exclusive mode')
    const client = new pg.Client({
      host: '127.0.0.1',
      port: gateway.port,
      user: login.clientId,
      password: login.credential,
      database: 'postgres',
      ssl: { ca: fixture.caPem, servername: 'orders.main.localhost', checkServerIdentity: () => undefined },
    })
    const ended = new Promise((resolve) => client.on('error', resolve))
    const connected = client.connect()
    await vi.waitFor(async () => {
      const { rowCount } = await store.pool.query(
        `select from audit_event where action = 'login' and outcome = 'allowed'`,
      )
      expect(rowCount).toBe(1)
    })
    await store.pool.query('update principal set active = false where id = $1', [login.principalId])
    await gateway.endRevokedSessions()
    await superuser.query('rollback')
    await connected
    expect(await ended).toMatchObject({ code: '57P01' })
    await expect.poll(() => gateway.openSessions).toBe(0)
    await superuser.end()
  })
})
