import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream.ts'

const password = 'Gut geraten ist halb gewußt'
const neutral = (role: string) => `password authentication failed for user "${role}"`

/** Logins by a Postgres role's own password: what the database must prove, and who may not log in so at all. */
describe('a login by password', () => {
  let fixture: GatewayFixture
  let superuser: pg.Client
  let certificate: { certificateChainPem: string; privateKeyPem: string }
  beforeAll(async () => {
    fixture = await startGatewayFixture({
      hba: [
        'host all trusted 127.0.0.1/32 trust',
        'hostssl all certified 127.0.0.1/32 cert',
        'host all hashed 127.0.0.1/32 md5',
        'host all plain 127.0.0.1/32 password',
      ],
    })
    certificate = fixture.authority.issue(['certified'])
    superuser = await fixture.upstream.superuser()
    for (const role of ['app', 'trusted', 'certified', 'plain', 'copier', 'boss', 'deputy', 'second_reader'])
      await superuser.query(`create role ${role} login password '${password}'`)
    await superuser.query(
      `set password_encryption = 'md5'; create role hashed login password '${password}'; reset password_encryption`,
    )
    await superuser.query('alter role copier replication; alter role boss superuser; grant boss to deputy')
    await superuser.query('create role sleeper nologin')
    await superuser.query('create database "Café"')
    await superuser.query('revoke connect on database "Café" from public')
    await fixture.store.pool.query(
      `insert into data_source (id, instance_id, type, name, host, port, database, username, tls_mode)
       select gen_random_uuid(), id, 'read_only', 'reader', 'db.test', 5432, 'postgres', 'second_reader', 'verify-full' from instance`,
    )
  })
  afterAll(async () => {
    await superuser?.end()
    await fixture?.stop()
  })
  const set = (column: string, value: unknown) =>
    fixture.store.pool.query(`update instance set ${column} = $1`, [value])
  beforeEach(async () => {
    await set('native_login_enabled', true)
    await set('native_login_roles', [])
  })
  const logIn = async (user: string, secret = password, change: pg.ClientConfig = {}) => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: fixture.gateway.port,
      user,
      password: secret,
      database: 'postgres',
      ssl: { ca: fixture.caPem, servername: 'orders.main.localhost', checkServerIdentity: () => undefined },
      ...change,
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const read = async (user: string, secret?: string, change?: pg.ClientConfig) => {
    const client = await logIn(user, secret, change)
    const { rows } = await client.query('select session_user::text as who')
    await client.end()
    return rows[0].who
  }
  const expectNeutral = (user: string, secret?: string, change?: pg.ClientConfig) =>
    expect(logIn(user, secret, change)).rejects.toMatchObject({ code: '28P01', message: neutral(user) })
  const lastReason = async () => {
    const { rows } = await fixture.store.pool.query(
      `select reason from audit_event where action = 'login' and outcome = 'denied' order by recorded_at desc limit 1`,
    )
    return rows[0]?.reason
  }

  test('opens a session of that role, and leaves a record of it', async () => {
    expect(await read('app')).toBe('app')
    const { rows } = await fixture.store.pool.query(
      `select outcome, actor_id, target_name, detail from audit_event where action = 'login' order by recorded_at desc limit 1`,
    )
    expect(rows).toMatchObject([
      { outcome: 'allowed', actor_id: null, target_name: 'orders', detail: { roleName: 'app', proof: 'password' } },
    ])
  })

  test('is possible the moment it is switched on, and not from the moment it is switched off', async () => {
    const open = await logIn('app')
    await set('native_login_enabled', false)
    await expectNeutral('app')
    expect(await lastReason()).toBe('NATIVE_LOGIN_DISABLED')
    expect((await open.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await open.end()
    await set('native_login_enabled', true)
    expect(await read('app')).toBe('app')
  })

  test.each([
    ['a wrong password', 'app', 'wrong', 'ROLE_DRIFTED'],
    ['a role that there is not', 'nobody', password, 'ROLE_DRIFTED'],
    ['a role without LOGIN', 'sleeper', password, 'ROLE_DRIFTED'],
    ['a role that the database trusts', 'trusted', password, 'UPSTREAM_AUTH_UNSAFE'],
    ['a role that the database knows by certificate', 'certified', password, 'ROLE_DRIFTED'],
    ['a role with an md5 password', 'hashed', password, 'UPSTREAM_AUTH_UNSAFE'],
    ['a role that the database asks for the password itself', 'plain', password, 'UPSTREAM_AUTH_UNSAFE'],
    ['a superuser', 'boss', password, 'SUPERUSER_OR_REPLICATION'],
    ['a role that may become a superuser', 'deputy', password, 'SUPERUSER_OR_REPLICATION'],
    ['a role that may replicate', 'copier', password, 'SUPERUSER_OR_REPLICATION'],
    ["the admin data source's user", 'keeper', 'data source password', 'USER_OF_A_DATA_SOURCE'],
    ["a read-only data source's user", 'second_reader', password, 'USER_OF_A_DATA_SOURCE'],
    ['a role of Postern', 'postern_admin', password, 'ROLE_MADE_BY_POSTERN'],
  ])('is refused for %s, in one neutral sentence, and the audit has the reason', async (_, role, secret, reason) => {
    await expectNeutral(role, secret)
    expect(await lastReason()).toBe(reason)
  })

  test('takes no bound role, whatever password it gave itself, and under whatever name', async () => {
    const { clientId } = fixture.login
    const { rows } = await superuser.query('select rolpassword from pg_authid where rolname = $1', [clientId])
    await superuser.query(`alter role "${clientId}" password '${password}'`)
    await expectNeutral(clientId)
    expect(await lastReason()).toBe('BOUND_ROLE_TAKES_A_CREDENTIAL')
    // Whoever has CREATEROLE renames it and sets a password that he knows.
    await superuser.query(`alter role "${clientId}" rename to innocent; alter role innocent password '${password}'`)
    await expectNeutral('innocent')
    expect(await lastReason()).toBe('BOUND_ROLE_TAKES_A_CREDENTIAL')
    // A new role of the old name is not the bound one, and its name still takes a credential alone.
    await superuser.query(`create role "${clientId}" login password '${password}'`)
    await expectNeutral(clientId)
    await expect(logIn(clientId, fixture.login.credential)).rejects.toMatchObject({ code: '28000' })
    await superuser.query(`drop role "${clientId}"; alter role innocent rename to "${clientId}"`)
    await superuser.query(`alter role "${clientId}" password '${rows[0].rolpassword}'`)
  })

  test('does not tell whoever has the password of a superuser that it is right', async () => {
    await expectNeutral('boss', password, { database: 'nowhere' })
    await expectNeutral('boss', 'wrong', { database: 'nowhere' })
    await expect(logIn('app', password, { database: 'nowhere' })).rejects.toMatchObject({ code: '3D000' })
    await expect(logIn('app', password, { database: 'Café' })).rejects.toMatchObject({ code: '42501' })
  })

  test('is not led to take a superuser for another role, which it would turn back from', async () => {
    await expectNeutral('boss', password, { options: '-c session_authorization=app' })
    expect(await lastReason()).toBe('SUPERUSER_OR_REPLICATION')
    await superuser.query('alter role boss set session_authorization = app')
    await expectNeutral('boss')
    await superuser.query('alter role boss reset session_authorization')
    expect(await lastReason()).toBe('SUPERUSER_OR_REPLICATION')
  })

  test('of a superuser, of one who may replicate and of a data source is possible where somebody named it', async () => {
    await set('native_login_roles', ['boss', 'copier', 'keeper'])
    expect(await read('boss')).toBe('boss')
    expect(await read('copier')).toBe('copier')
    expect(await read('keeper', 'data source password')).toBe('keeper')
    await expectNeutral('deputy')
  })

  test('shows the database no certificate of the data source', async () => {
    await superuser.query(`alter role certified password null`)
    await fixture.store.pool.query(`update data_source set tls_client_certificate = $1 where type = 'admin'`, [
      certificate.certificateChainPem,
    ])
    await expectNeutral('certified')
    expect(await read('app')).toBe('app')
    await fixture.store.pool.query(`update data_source set tls_client_certificate = null`)
  })

  test('needs the workspace from the host name only where there are several', async () => {
    const byOption = { ssl: { ca: fixture.caPem, checkServerIdentity: () => undefined }, options: '-c endpoint=orders' }
    await expect(read('app', password, { ...byOption, options: 'endpoint=orders' })).resolves.toBe('app')
    await fixture.store.pool.query(
      `insert into workspace (id, name, gateway_domain) values (7, 'second', 'second.test')`,
    )
    await expectNeutral('app', password, { ...byOption, options: 'endpoint=orders' })
    expect(await lastReason()).toBe('INSTANCE_NOT_FOUND')
    expect(await read('app')).toBe('app')
    await fixture.store.pool.query('delete from workspace where id = 7')
  })

  describe('by what was meant as a token', () => {
    let upstream: FakeUpstream
    beforeAll(async () => {
      upstream = await startFakeUpstream((socket) => socket.destroy())
    })
    beforeEach(async () => {
      await fixture.store.pool.query(
        `create table if not exists port_before as select port from data_source where type = 'admin'`,
      )
      await fixture.store.pool.query(`update data_source set port = $1, tls_mode = 'disable' where type = 'admin'`, [
        upstream.port,
      ])
    })
    afterEach(async () => {
      await fixture.store.pool.query(
        `update data_source set tls_mode = 'require', port = (select port from port_before) where type = 'admin'`,
      )
      await fixture.store.pool.query('drop table port_before')
    })
    afterAll(() => upstream?.stop())

    test('never reaches the database, not even with something around it', async () => {
      const { credential } = fixture.login
      const [header, payload] = credential.split('.')
      const expired = `${header}.${payload}.c2lnbmF0dXJl`
      const token = fixture.accessToken()
      for (const secret of [
        expired,
        token,
        ` ${token}`,
        `${token}\n`,
        `Bearer ${token}`,
        `"${credential}"`,
        `x ${credential}`,
      ])
        await expectNeutral('app', secret)
      expect(upstream.accepted).toBe(0)
      // The database is reached by what is no token, and its address is right.
      await expect(logIn('app', 'not a token')).rejects.toMatchObject({ code: '08001' })
      expect(upstream.accepted).toBe(1)
    })
  })

  describe('by an access token of the workspace', () => {
    const asPrincipal = (secret: string, change?: pg.ClientConfig) => read(fixture.login.clientId, secret, change)
    afterEach(() => set('access_token_login_enabled', false))

    test('is refused like a wrong password, unless the instance takes them', async () => {
      await expectNeutral(fixture.login.clientId, fixture.accessToken())
      expect(await lastReason()).toBe('WRONG_TYPE')
      await set('access_token_login_enabled', true)
      expect(await asPrincipal(fixture.accessToken())).toBe(fixture.login.clientId)
    })

    test('opens no more than a credential would', async () => {
      await set('access_token_login_enabled', true)
      await expect(logIn('app', fixture.accessToken())).rejects.toMatchObject({ code: '28000' })
      await fixture.store.pool.query('update principal set active = false where id = $1', [fixture.login.principalId])
      await expect(asPrincipal(fixture.accessToken())).rejects.toMatchObject({ code: '28000' })
      await fixture.store.pool.query('update principal set active = true where id = $1', [fixture.login.principalId])
    })

    test.each([
      ['of a narrower scope', { scope: 'openid' }],
      ['for another audience', { aud: '42' }],
      ['that has expired', { iat: 1_700_000_000, exp: 1_700_003_600 }],
    ])('is refused for a token %s', async (_, claims) => {
      await set('access_token_login_enabled', true)
      await expectNeutral(fixture.login.clientId, fixture.accessToken(claims))
    })
  })
})
