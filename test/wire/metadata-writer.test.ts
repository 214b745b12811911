import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bindPostgresRole } from '../../src/access/bind-postgres-role.ts'
import { repairPostgresRole } from '../../src/access/repair-postgres-role.ts'
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream.ts'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { errorOf, type RawMessage } from '../support/raw-pg-messages.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

/** Whoever can write the metadata store, and has no master key, edits rows that lead a login: SECURITY.md says what he gains. */
describe('a writer of the metadata store', () => {
  let fixture: GatewayFixture
  /** His own server, which lets anybody in. */
  let own: UpstreamPostgres
  let listener: FakeUpstream
  beforeAll(async () => {
    fixture = await startGatewayFixture()
    own = await startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 trust'] })
    listener = await startFakeUpstream()
    const superuser = await own.superuser()
    await superuser.query(`create role "${fixture.login.clientId}" login`)
    await superuser.end()
  })
  afterAll(async () => {
    await fixture?.stop()
    await own?.stop()
    await listener?.stop()
  })

  const sql = (statement: string, values: unknown[] = []) => fixture.store.pool.query(statement, values)
  beforeEach(async () => {
    await sql('create table if not exists source_before as select * from data_source')
    await sql('create table if not exists secret_before as select * from data_source_secret')
    await sql('create table if not exists binding_before as select * from postgres_role_binding')
    await sql(
      `update data_source d set (host, port, tls_mode, tls_ca, username, database, ssh, extra_parameters, tls_client_certificate) =
         (select host, port, tls_mode, tls_ca, username, database, ssh, extra_parameters, tls_client_certificate from source_before b where b.id = d.id)`,
    )
    await sql('delete from data_source_secret')
    await sql('insert into data_source_secret select * from secret_before')
    await sql(
      `update postgres_role_binding r set (role_name, role_oid, system_identifier, login_key_sealed) =
         (select role_name, role_oid, system_identifier, login_key_sealed from binding_before b where b.id = r.id)`,
    )
  })
  const logIn = async (user = fixture.login.clientId): Promise<RawMessage> => {
    const client = await RawPgClient.openTls('127.0.0.1', fixture.gateway.port, { ca: fixture.caPem })
    const messages = await client.logIn({ user, database: 'postgres' }, fixture.login.credential)
    client.destroy()
    return messages.at(-1)!
  }
  const expectRefused = async (user?: string) => expect(errorOf(await logIn(user)).severity).toBe('FATAL')

  test('finds a login that works, before he changes anything', async () => {
    expect((await logIn()).type).toBe('Z')
  })

  test('leads no session to a server of his own, even with the oid and the cluster of that one', async () => {
    const superuser = await own.superuser()
    const { rows } = await superuser.query(
      `select r.oid, s.system_identifier from pg_roles r, pg_control_system() s where r.rolname = $1`,
      [fixture.login.clientId],
    )
    await superuser.end()
    await sql(`update data_source set host = '127.0.0.1', port = $1, tls_mode = 'disable'`, [own.port])
    await sql('update postgres_role_binding set role_oid = $1, system_identifier = $2', [
      rows[0].oid,
      rows[0].system_identifier,
    ])
    await expectRefused()
    // Without the login key the upstream has nothing to prove.
    await sql('update postgres_role_binding set login_key_sealed = null')
    await expectRefused()
    await sql(`update instance set kind = 'managed'`)
    await expectRefused()
    await sql(`update instance set kind = 'external'`)
  })

  test.each([
    '/tmp',
    '/run/postern',
    '/run/postern/test/../../postgresql',
    '/run/postern/test/i1/..',
    '/run/postern/test/i1/',
  ])('uses the operating system user of the gateway against no socket in %s', async (host) => {
    await sql('update postgres_role_binding set login_key_sealed = null')
    await sql('update data_source set host = $1', [host])
    expect(errorOf(await logIn()).message).toContain('not one of this node')
  })

  test.each([
    ['address', `update data_source set host = '127.0.0.2'`],
    ['port', 'update data_source set port = PORT'],
    ['TLS', `update data_source set tls_mode = 'disable'`],
    ['TLS, made to look stronger', `update data_source set tls_mode = 'verify-ca'`],
    ['authority', `update data_source set tls_ca = 'another'`],
    ['client certificate', `update data_source set tls_client_certificate = 'another'`],
    ['parameter', `update data_source set extra_parameters = '{"application_name":"another"}'`],
    [
      'way, through an SSH server of his own',
      `update data_source set ssh = '[{"host":"127.0.0.1","port":PORT,"username":"u","auth":"password","hostKey":null}]'`,
    ],
  ])('has no login key used, and no password sent, after another %s', async (_what, statement) => {
    await sql(statement.replace('PORT', String(listener.port)))
    await expectRefused()
    const { deps, admin } = fixture.instances
    const repair = repairPostgresRole(deps, admin, 'orders', fixture.login.clientId)
    await expect(repair).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
    expect(listener.received().toString('latin1')).not.toContain('password')
  })

  test('has no login key used for another Postgres role, by name or by row', async () => {
    const { deps, admin } = fixture.instances
    const { clientId } = await fixture.instances.addPrincipal()
    const attributes = { createDb: false, createRole: false, bypassRls: false }
    await bindPostgresRole(deps, admin, 'orders', { principal: { clientId }, attributes, administrator: false })
    await sql(
      `update postgres_role_binding mine set login_key_sealed = other.login_key_sealed
       from postgres_role_binding other where mine.role_name = $1 and other.role_name = $2`,
      [fixture.login.clientId, clientId],
    )
    await expectRefused()
    await sql(`update postgres_role_binding set role_name = 'keeper' where role_name = $1`, [fixture.login.clientId])
    await expectRefused('keeper')
    await sql('delete from postgres_role_binding where role_name = $1', [clientId])
  })

  test.each(['role_oid = role_oid + 1', `system_identifier = '1'`])('begins no session with %s', async (change) => {
    await sql(`update postgres_role_binding set ${change}`)
    expect(errorOf(await logIn()).message).toContain('is not the one that was bound')
  })

  test('opens no secret that was moved between tables, rows and fields', async () => {
    await sql('update data_source_secret set sealed = (select login_key_sealed from postgres_role_binding limit 1)')
    const { deps, admin } = fixture.instances
    const repair = repairPostgresRole(deps, admin, 'orders', fixture.login.clientId)
    await expect(repair).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
    await sql('update postgres_role_binding set login_key_sealed = (select sealed from secret_before limit 1)')
    await expectRefused()
  })
})
