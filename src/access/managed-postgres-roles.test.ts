import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import { systemClock } from '../base/clock.ts'
import { newUuid, type InstanceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { SessionStatements } from '../keys/session-statements.ts'
import { currentUserName } from '../postgres-server/os-user.ts'
import { writeAdminDataSource } from '../server/managed/admin-data-source.ts'
import { managedHba, managedIdent } from '../server/managed/managed-roles.ts'
import { provisionManagedInstance, setAdminPassword } from '../server/managed/provision-managed-instance.ts'
import { insertInstance } from '../store/instances.ts'
import { bindPostgresRole } from './bind-postgres-role.ts'
import { logInNatively } from './log-in-natively.ts'
import { LoginFactsReader } from './login-facts-reader.ts'
import { repairPostgresRole } from './repair-postgres-role.ts'
import { unbindPostgresRole } from './unbind-postgres-role.ts'

let managed: EmbeddedPostgres
let fixture: InstanceFixture
let superuser: pg.Client
const none = { createDb: false, createRole: false, bypassRls: false }

beforeAll(async () => {
  const local = await startEmbeddedPostgres()
  managed = await startEmbeddedPostgres({ hba: managedHba(), ident: managedIdent(await currentUserName()) })
  fixture = await createInstanceFixture(await local.freshStore())
  superuser = await managed.superuser()
  // The last test stops the server.
  superuser.on('error', () => undefined)
  await provisionManagedInstance(managed.server)
  const { deps, admin } = fixture
  const id = newUuid<InstanceId>()
  await insertInstance(deps.store.db, {
    id,
    workspaceId: admin.workspaceId,
    name: 'sample',
    kind: 'managed',
    engine: 'postgres',
    state: 'AVAILABLE',
    defaultDatabase: 'databricks_postgres',
    creatorId: admin.principalId,
    systemIdentifier: managed.server.systemIdentifier,
  })
  const password = new Secret('password of the admin data source')
  await setAdminPassword(managed.server, password)
  await writeAdminDataSource(deps.store.db, id, managed.server, password, deps.masterKey)
  return async () => {
    await superuser.end()
    await managed.stop()
    await local.stop()
  }
}, 60_000)

async function bind(attributes = none, administrator = false): Promise<string> {
  const { clientId } = await fixture.addPrincipal()
  const input = { principal: { clientId }, attributes, administrator }
  return (await bindPostgresRole(fixture.deps, fixture.admin, 'sample', input)).roleName
}

/** By peer: this process plays the gateway, whose system user is mapped to every bound role. */
async function sessionOf(user: string, database = 'databricks_postgres'): Promise<pg.Client> {
  const { socketFolder: host, port } = managed.server
  const client = new pg.Client({ host, port, user, database, password: 'none' })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

const repair = (roleName: string) => repairPostgresRole(fixture.deps, fixture.admin, 'sample', roleName)
const unbind = (roleName: string, reassignOwnedTo?: string) =>
  unbindPostgresRole(fixture.deps, fixture.admin, 'sample', roleName, { reassignOwnedTo, keepUpstreamRole: false })

describe('a login by password on a managed instance', () => {
  it('opens no role that the server lets in by peer: it would take any password', async () => {
    const { store, masterKey, dialer } = fixture.deps
    await store.pool.query('update instance set native_login_enabled = true')
    await superuser.query(`create role outsider login password 'right'; create role insider login password 'right'`)
    await superuser.query('grant postern_bound to insider')
    await (await sessionOf('insider')).end()
    const facts = new LoginFactsReader({ pool: store.pool, clock: systemClock, deadlineMs: 5_000, rememberSeconds: 0 })
    const deps = {
      facts,
      masterKey,
      dialOptions: { ...dialer, secrets: {}, timeoutMs: 5_000 },
      sessionStatements: SessionStatements.unread(store, masterKey),
      settings: { peerSocketRoot: '/run/postern/test' },
    }
    const logIn = async (roleName: string, password: string) => {
      const { workspaceId } = fixture.admin
      const attempt = { workspaceId, instanceName: 'sample', roleName, database: 'databricks_postgres', settings: [] }
      const login = await logInNatively(deps, attempt, new Secret(password), () => undefined)
      if (login.allowed) login.upstream.channel.socket.destroy()
      return login
    }
    expect(await logIn('outsider', 'right')).toMatchObject({ allowed: true })
    for (const password of ['right', 'wrong'])
      expect(await logIn('insider', password)).toMatchObject({ allowed: false, reason: 'UPSTREAM_AUTH_UNSAFE' })
    await store.pool.query('update instance set native_login_enabled = false')
  })
})

describe('a bound role on a managed instance', () => {
  it('has every attribute asked for, no password, and enters through the gateway alone', async () => {
    const roleName = await bind({ createDb: true, createRole: true, bypassRls: true }, true)
    const { rows } = await superuser.query(
      'select rolcreatedb, rolcreaterole, rolbypassrls, rolsuper, rolreplication, rolpassword from pg_authid where rolname = $1',
      [roleName],
    )
    expect(rows).toEqual([
      {
        rolcreatedb: true,
        rolcreaterole: true,
        rolbypassrls: true,
        rolsuper: false,
        rolreplication: false,
        rolpassword: null,
      },
    ])
    const session = await sessionOf(roleName)
    const { rows: memberships } = await session.query(
      `select pg_has_role('databricks_superuser', 'usage') as administrates, pg_has_role('postern_bound', 'set') as may_become_mark`,
    )
    expect(memberships).toEqual([{ administrates: true, may_become_mark: false }])
    await session.end()
  })

  it('with CREATEROLE can neither mark a role of its own as bound nor touch another bound role', async () => {
    const victim = pg.escapeIdentifier(await bind())
    const session = await sessionOf(await bind({ createDb: false, createRole: true, bypassRls: false }, true))
    await session.query('create role sneaky login')
    for (const statement of [
      'grant postern_bound to sneaky',
      `grant ${victim} to sneaky`,
      `alter role ${victim} password 'mine'`,
      `alter role ${victim} rename to other`,
      `drop role ${victim}`,
      'create role second_superuser superuser',
      'alter role postern_admin password null',
    ]) {
      await expect(session.query(statement)).rejects.toMatchObject({ code: '42501' })
    }
    await session.end()
  })

  it('that lost its mark is repaired, and one that is gone is made again', async () => {
    const roleName = await bind()
    await superuser.query(`revoke postern_bound from ${pg.escapeIdentifier(roleName)} granted by postern_admin`)
    await expect(sessionOf(roleName)).rejects.toMatchObject({ code: '28P01' })
    expect(await repair(roleName)).toMatchObject({ findings: ['membership_missing'], repaired: true })
    await (await sessionOf(roleName)).end()
    await superuser.query(`drop role ${pg.escapeIdentifier(roleName)}`)
    expect(await repair(roleName)).toMatchObject({ findings: ['role_missing'], repaired: true })
    await (await sessionOf(roleName)).end()
  })

  it('is unbound with its sessions, and what it owns in every database goes to whom it is told', async () => {
    const roleName = await bind({ createDb: true, createRole: false, bypassRls: false }, true)
    const session = await sessionOf(roleName)
    await session.query('create table work_of_a_leaver (id int)')
    await session.query('create database of_a_leaver')
    const there = await sessionOf(roleName, 'of_a_leaver')
    await there.query('create table more_of_a_leaver (id int)')
    await expect(unbind(roleName)).rejects.toMatchObject({ code: 'IN_USE' })
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    const heir = await bind()
    expect(await unbind(roleName, heir)).toBe('dropped')
    await expect(session.query('select 1')).rejects.toThrow()
    const { rows } = await superuser.query(
      `select pg_get_userbyid(datdba) as owner from pg_database where datname = 'of_a_leaver'`,
    )
    expect(rows).toEqual([{ owner: heir }])
    await there.end().catch(() => undefined)
  })

  it('is not left behind by unbinding while its instance answers: nobody could bind or drop it again', async () => {
    const roleName = await bind()
    const keep = () => unbindPostgresRole(fixture.deps, fixture.admin, 'sample', roleName, { keepUpstreamRole: true })
    await expect(keep()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining("Managed instance 'sample' answers"),
    })
    await (await sessionOf(roleName)).end()
    await managed.server.stop()
    expect(await keep()).toBe('left')
  })
})
