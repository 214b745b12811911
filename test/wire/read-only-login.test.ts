import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { endUpstreamSessions } from '../../src/access/end-revoked-sessions.ts'
import { LoginGrant } from '../../src/access/login-grant.ts'
import { addDataSource, removeDataSource } from '../../src/instances/change-data-sources.ts'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'
import type { UpstreamPostgres } from '../support/upstream-postgres.ts'

/** Credentials for reading: their sessions are on a physical standby, where nothing can be written whoever tries. */
describe('a read-only credential', () => {
  let fixture: GatewayFixture
  let standby: UpstreamPostgres
  let credential: string
  beforeAll(async () => {
    fixture = await startGatewayFixture()
    const superuser = await fixture.upstream.superuser()
    await superuser.query(`create table notes (text text); insert into notes values ('first')`)
    await superuser.query(`grant all on notes to "${fixture.login.clientId}"`)
    await superuser.end()
    standby = await fixture.upstream.standby()
    await add('copy', standby.port)
    credential = await fixture.mint({ readOnly: true })
  }, 60_000)
  afterAll(async () => {
    await standby?.stop()
    await fixture?.stop()
  })

  const add = (name: string, port: number, weight = 1) => {
    const { deps, admin } = fixture.instances
    const source = { host: '127.0.0.1', port, database: 'postgres', username: 'keeper', tlsMode: 'require' as const }
    return addDataSource(deps, admin, 'orders', {
      name,
      ...source,
      password: 'data source password',
      weight,
      skipTest: true,
    })
  }
  const remove = (name: string) =>
    removeDataSource(fixture.instances.deps, fixture.instances.admin, 'orders', name, undefined)
  const logIn = async (password: string) => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: fixture.gateway.port,
      user: fixture.login.clientId,
      password,
      database: 'postgres',
      ssl: { ca: fixture.caPem, servername: 'orders.main.localhost', checkServerIdentity: () => undefined },
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const isStandby = async (password: string) => {
    const client = await logIn(password)
    const { rows } = await client.query('select pg_is_in_recovery() as standby')
    await client.end()
    return rows[0].standby
  }
  afterEach(() => remove('primary').catch(() => undefined))

  test('opens its sessions on the standby, and an ordinary one on the primary', async () => {
    expect(await isStandby(credential)).toBe(true)
    expect(await isStandby(fixture.login.credential)).toBe(false)
  })

  test.each([
    `insert into notes values ('second')`,
    'begin read write',
    `begin; set transaction read write; insert into notes values ('second')`,
    `set default_transaction_read_only = off; insert into notes values ('second')`,
    `set session characteristics as transaction read write; insert into notes values ('second')`,
    'create table mine ()',
    'create temporary table mine ()',
    'select lo_create(0)',
    'select pg_promote()',
  ])('writes nothing by: %s', async (statement) => {
    const client = await logIn(credential)
    await expect(client.query(statement)).rejects.toThrow()
    await client.query('rollback')
    expect((await client.query('select count(*)::int as notes from notes')).rows).toEqual([{ notes: 1 }])
    await client.end()
  })

  test('whose session is to end has no session of the same number on the primary end instead', async () => {
    const { store, upstream, login, instances } = fixture
    const bystander = await logIn(login.credential)
    const ended = new Promise((resolve) => bystander.once('error', resolve))
    const { rows } = await bystander.query('select pg_backend_pid() as pid')
    const binding = (await store.pool.query('select id, instance_id, role_oid::text from postgres_role_binding'))
      .rows[0]
    const { id: bindingId, instance_id: instanceId, role_oid: roleOid } = binding
    const end = (readOnly: boolean) => {
      const fields = { instanceId, bindingId, roleName: login.clientId, roleOid, readOnly }
      const grant = LoginGrant.afterAuthorization(fields as Parameters<typeof LoginGrant.afterAuthorization>[0])
      return endUpstreamSessions(instances.deps, [{ grant, upstreamPid: rows[0].pid }])
    }
    const superuser = await upstream.superuser()
    await superuser.query(`grant "${login.clientId}" to keeper`)
    await superuser.end()
    await end(true)
    expect((await bystander.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await end(false)
    expect(await ended).toMatchObject({ code: '57P01' })
  })

  test('is led past a read-only data source that is no standby to one that is', async () => {
    await add('primary', fixture.upstream.port, 100)
    expect(await isStandby(credential)).toBe(true)
  })

  test('is refused, and told why, where no read-only data source is a physical standby', async () => {
    await remove('copy')
    await expect(logIn(credential)).rejects.toMatchObject({
      code: '55000',
      message: expect.stringContaining('no read-only data source'),
    })
    await add('primary', fixture.upstream.port)
    await expect(logIn(credential)).rejects.toMatchObject({
      code: '55000',
      message: expect.stringContaining(
        'authentication failed: this credential is for reading, and no read-only data source of instance "orders" is a physical standby',
      ),
    })
    await add('copy', standby.port)
  })

  test('opens nothing on a standby that was promoted', async () => {
    const superuser = await standby.superuser()
    await superuser.query('select pg_promote(true, 30)')
    await superuser.end()
    await expect(logIn(credential)).rejects.toMatchObject({ code: '55000' })
  })
})
