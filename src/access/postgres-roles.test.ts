import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  addDataSourceUser,
  as,
  createInstanceFixture,
  type InstanceFixture,
} from '../../test/support/instance-fixture.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import { LoginKey } from '../crypto/login-key.ts'
import { open } from '../crypto/seal.ts'
import { loadEngine } from '../engines/registry.ts'
import { createInstance } from '../instances/create-instance.ts'
import { findAdminDataSource } from '../store/data-sources.ts'
import { findInstance } from '../store/instances.ts'
import { findPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { bindPostgresRole } from './bind-postgres-role.ts'
import { routeOf } from './data-source-secrets.ts'
import { listPostgresRoles } from './list-postgres-roles.ts'
import { loginKeyContext } from './login-key-context.ts'
import { repairPostgresRole } from './repair-postgres-role.ts'
import { unbindPostgresRole } from './unbind-postgres-role.ts'

let upstream: UpstreamPostgres
let fixture: InstanceFixture
let superuser: pg.Client
const none = { createDb: false, createRole: false, bypassRls: false }
const unbinding = { keepUpstreamRole: false }

beforeAll(async () => {
  const local = await startEmbeddedPostgres()
  upstream = await startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] })
  superuser = await upstream.superuser()
  fixture = await createInstanceFixture(await local.freshStore())
  const adminDataSource = await addDataSourceUser(upstream, 'postern', 'createrole createdb bypassrls')
  await superuser.query('grant pg_read_all_data, pg_write_all_data, pg_monitor to postern with admin option')
  await createInstance(fixture.deps, fixture.admin, {
    kind: 'external',
    name: 'orders',
    engine: 'postgres',
    adminDataSource,
  })
  return async () => {
    await superuser.end()
    await upstream.stop()
    await local.stop()
  }
}, 60_000)

async function bind(change: { roleName?: string; attributes?: typeof none; administrator?: boolean } = {}) {
  const { clientId } = await fixture.addPrincipal()
  return bindPostgresRole(fixture.deps, fixture.admin, 'orders', {
    principal: { clientId },
    attributes: none,
    administrator: false,
    ...change,
  })
}

/** Whether the gateway could log in with what is stored. */
async function loginKeyWorks(roleName: string): Promise<boolean> {
  const { deps, admin } = fixture
  const instance = await findInstance(deps.store.db, admin.workspaceId, 'orders')
  const source = instance && (await findAdminDataSource(deps.store.db, instance.id))
  const binding = instance && (await findPostgresRoleBinding(deps.store.db, instance.id, roleName))
  if (!source || !binding?.loginKeySealed) return false
  const route = { ...routeOf(source), username: roleName }
  const loginKey = LoginKey.fromSecret(open(deps.masterKey, binding.loginKeySealed, loginKeyContext(binding.id, route)))
  const { roleLogin } = await loadEngine('postgres')
  return (
    (await roleLogin?.acceptsLoginKey(route, loginKey, { dialer: deps.dialer, secrets: {}, timeoutMs: 2_000 })) ?? false
  )
}

async function upstreamRole(roleName: string) {
  const { rows } = await superuser.query(
    `select oid::text, rolcanlogin, rolinherit, rolsuper, rolreplication, rolcreatedb, rolcreaterole, rolbypassrls,
       array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid) as member_of
     from pg_roles r where rolname = $1`,
    [roleName],
  )
  return rows[0]
}

describe('binding', () => {
  it('works as its own user in a database whose owner set a role and other traps for whoever enters', async () => {
    const { roleName } = await bind()
    await superuser.query('create role trapper; grant trapper to postern with admin option')
    await superuser.query('create database trap owner trapper')
    const there = await upstream.superuser('trap')
    await there.query('grant all on schema public to public')
    await there.query(`set role "${roleName}"; create table public.left_behind (); reset role`)
    for (const setting of [`role = 'trapper'`, 'default_transaction_read_only = on', 'search_path = public'])
      await superuser.query(`alter database trap set ${setting}`)
    const options = { ...unbinding, reassignOwnedTo: 'trapper' }
    expect(await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, options)).toBe('dropped')
    const { rows } = await there.query(`select tableowner from pg_tables where tablename = 'left_behind'`)
    expect(rows).toEqual([{ tableowner: 'trapper' }])
    await there.end()
  })

  it('makes a role with exactly the attributes asked for, and a login key that opens it', async () => {
    const role = await bind({ attributes: { createDb: true, createRole: false, bypassRls: true } })
    expect(await upstreamRole(role.roleName)).toEqual({
      oid: role.roleOid,
      rolcanlogin: true,
      rolinherit: true,
      rolsuper: false,
      rolreplication: false,
      rolcreatedb: true,
      rolcreaterole: false,
      rolbypassrls: true,
      member_of: [],
    })
    expect(role.roleName).toBe(role.principalName)
    expect(await loginKeyWorks(role.roleName)).toBe(true)
  })

  it('makes the administrators’ role when the first administrator is bound, and uses it for the next', async () => {
    for (let i = 0; i < 2; i++) {
      const role = await bind({ administrator: true })
      expect((await upstreamRole(role.roleName)).member_of).toEqual(['databricks_superuser'])
    }
    expect((await upstreamRole('databricks_superuser')).member_of.toSorted()).toEqual([
      'pg_monitor',
      'pg_read_all_data',
      'pg_write_all_data',
    ])
  })

  it('keeps a name with quotes, capitals and backslashes as it is', async () => {
    for (const roleName of [`O'Reilly "Eve" \\ $$; drop role postern; --`, 'Ärzte', ' ', 'a"', `'`]) {
      const role = await bind({ roleName })
      expect((await upstreamRole(roleName)).oid).toBe(role.roleOid)
      expect(await loginKeyWorks(roleName)).toBe(true)
    }
  })

  it.each(['x'.repeat(64), 'ä'.repeat(32), '', 'a\0b', 'pg_reader', 'postern_bound', 'databricks_superuser', 'public'])(
    'refuses the name %j',
    async (roleName) => {
      await expect(bind({ roleName })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    },
  )

  it('never takes over a role that exists: not an ordinary one, not the superuser, not its own data source’s user', async () => {
    await superuser.query(`create role legacy login password 'known to its owner'`)
    const before = await superuser.query(
      `select rolname, rolpassword from pg_authid where rolname in ('legacy', 'postgres', 'postern') order by 1`,
    )
    for (const roleName of ['legacy', 'postgres', 'postern']) {
      await expect(bind({ roleName })).rejects.toMatchObject({ code: 'ROLE_TAKEN' })
    }
    const after = await superuser.query(
      `select rolname, rolpassword from pg_authid where rolname in ('legacy', 'postgres', 'postern') order by 1`,
    )
    expect(after.rows).toEqual(before.rows)
  })

  it('binds a name once, whoever asks twice at the same time', async () => {
    const roleName = `shared ${randomUUID()}`
    const outcomes = await Promise.allSettled([bind({ roleName }), bind({ roleName }), bind({ roleName })])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(bind({ roleName })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
  })

  it('leaves nothing on the database when the binding cannot be stored', async () => {
    const roleName = `lost ${randomUUID()}`
    const { deps, admin } = fixture
    const { clientId } = await fixture.addPrincipal()
    const { pool } = deps.store
    await pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'the store died'; end $$`,
    )
    await pool.query(
      'create trigger refuse before insert on postgres_role_binding for each row execute function refuse()',
    )
    const input = { principal: { clientId }, roleName, attributes: none, administrator: false }
    await expect(bindPostgresRole(deps, admin, 'orders', input)).rejects.toThrow('the store died')
    expect(await upstreamRole(roleName)).toBeUndefined()
    await pool.query('drop trigger refuse on postgres_role_binding')
    await bindPostgresRole(deps, admin, 'orders', input)
  })

  it('is for Workspace Admins and DBAs', async () => {
    const { clientId } = await fixture.addPrincipal()
    const input = { principal: { clientId }, attributes: none, administrator: false }
    await expect(bindPostgresRole(fixture.deps, as(fixture.admin, 'member'), 'orders', input)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(bindPostgresRole(fixture.deps, as(fixture.admin, 'dba'), 'nowhere', input)).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
    })
  })

  it('names the statement to run where the data source’s user lacks a privilege', async () => {
    const adminDataSource = await addDataSourceUser(upstream, 'weak', '')
    const weak = await createInstance(fixture.deps, fixture.admin, {
      kind: 'external',
      name: 'weak',
      engine: 'postgres',
      adminDataSource,
    })
    expect(weak.state).toBe('AVAILABLE')
    const { clientId } = await fixture.addPrincipal()
    const attempt = bindPostgresRole(fixture.deps, fixture.admin, 'weak', {
      principal: { clientId },
      attributes: none,
      administrator: false,
    })
    await expect(attempt).rejects.toMatchObject({
      code: 'UPSTREAM_PERMISSION',
      hint: expect.stringContaining('ALTER ROLE "weak" CREATEROLE'),
    })
  })

  it('gives an administrators’ role that it did not make no privileges: its maker could pass them on', async () => {
    const role = await upstreamRole('databricks_superuser')
    await superuser.query(`revoke pg_read_all_data from databricks_superuser granted by postern`)
    await bind({ administrator: true })
    expect((await upstreamRole('databricks_superuser')).member_of).not.toContain('pg_read_all_data')
    expect((await upstreamRole('databricks_superuser')).oid).toBe(role.oid)
  })
})

describe('repair', () => {
  it('finds nothing to do on a role that is as it was bound', async () => {
    const { roleName } = await bind()
    expect(await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)).toMatchObject({
      findings: [],
      repaired: false,
    })
    expect(await loginKeyWorks(roleName)).toBe(true)
  })

  it('resets a password that the role gave itself', async () => {
    const { roleName, roleOid } = await bind()
    await superuser.query(`alter role ${pg.escapeIdentifier(roleName)} password 'my own'`)
    expect(await loginKeyWorks(roleName)).toBe(false)
    const repair = await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)
    expect(repair).toMatchObject({ findings: ['login_key_changed'], repaired: true, role: { roleOid } })
    expect(await loginKeyWorks(roleName)).toBe(true)
    expect(await fixture.auditTrail()).toContain('postgresRole.repair allowed')
  })

  it('puts attributes and memberships back', async () => {
    const { roleName } = await bind({ administrator: true })
    const name = pg.escapeIdentifier(roleName)
    await superuser.query(`alter role ${name} createrole nologin noinherit valid until '2020-01-01'`)
    await superuser.query(`revoke databricks_superuser from ${name} granted by postern`)
    const { findings } = await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)
    expect(findings).toEqual(['attributes_changed', 'membership_missing'])
    expect(await upstreamRole(roleName)).toMatchObject({
      rolcreaterole: false,
      rolcanlogin: true,
      rolinherit: true,
      member_of: ['databricks_superuser'],
    })
    expect(await loginKeyWorks(roleName)).toBe(true)
    expect(await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)).toMatchObject({ findings: [] })
  })

  it('makes a role again that is gone, as after a crash between the two commits', async () => {
    const { roleName, roleOid } = await bind({ administrator: true })
    await superuser.query(`drop role ${pg.escapeIdentifier(roleName)}`)
    expect(await loginKeyWorks(roleName).catch(() => false)).toBe(false)
    const { findings, role } = await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)
    expect(findings).toEqual(['role_missing'])
    expect(role.roleOid).not.toBe(roleOid)
    expect(await loginKeyWorks(roleName)).toBe(true)
  })

  it('never touches a role that was dropped and made again under the same name', async () => {
    const { roleName } = await bind()
    const name = pg.escapeIdentifier(roleName)
    await superuser.query(`drop role ${name}`)
    await superuser.query(`create role ${name} login password 'the attacker knows it'`)
    const before = await superuser.query('select oid, rolpassword from pg_authid where rolname = $1', [roleName])
    await expect(repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)).rejects.toMatchObject({
      code: 'ROLE_DRIFTED',
    })
    const after = await superuser.query('select oid, rolpassword from pg_authid where rolname = $1', [roleName])
    expect(after.rows).toEqual(before.rows)
    expect(await fixture.auditTrail()).toContain('postgresRole.repair denied')
    expect(await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, unbinding)).toBe('left')
    expect(await upstreamRole(roleName)).toBeDefined()
  })

  it('never touches another role that was renamed into the name', async () => {
    const { roleName } = await bind()
    await superuser.query(`alter role ${pg.escapeIdentifier(roleName)} rename to "moved away ${randomUUID()}"`)
    await superuser.query(
      `create role impostor login createrole; alter role impostor rename to ${pg.escapeIdentifier(roleName)}`,
    )
    await expect(repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)).rejects.toMatchObject({
      code: 'ROLE_DRIFTED',
    })
  })
})

describe('unbinding', () => {
  it('drops the role with what it was granted, in every database, and the name can be bound again', async () => {
    const { roleName } = await bind()
    const name = pg.escapeIdentifier(roleName)
    await superuser.query('create database elsewhere owner postern')
    for (const database of ['postgres', 'elsewhere']) {
      const session = await upstream.superuser(database)
      await session.query(
        'create schema postern authorization postern; set role postern; create table postern.ours (id int)',
      )
      await session.query(`grant select on postern.ours to ${name}; grant usage on schema postern to ${name}`)
      await session.end()
    }
    expect(await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, unbinding)).toBe('dropped')
    expect(await upstreamRole(roleName)).toBeUndefined()
    await bind({ roleName })
  })

  it('takes LOGIN away where privileges that others granted hold the role, and says who must take them back', async () => {
    const { roleName } = await bind()
    const name = pg.escapeIdentifier(roleName)
    await superuser.query(`create table theirs (id int); grant select on theirs to ${name}`)
    const refused = unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, unbinding)
    await expect(refused).rejects.toMatchObject({
      code: 'IN_USE',
      hint: expect.stringContaining(`DROP OWNED BY ${name}`),
    })
    expect((await upstreamRole(roleName)).rolcanlogin).toBe(false)
    await superuser.query(`drop owned by ${name}`)
    expect(await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, unbinding)).toBe('dropped')
  })

  it('refuses while the role owns something, changes nothing, and hands it over when told to whom', async () => {
    const { roleName } = await bind()
    const name = pg.escapeIdentifier(roleName)
    await superuser.query(`create table precious (id int); alter table precious owner to ${name}`)
    const refused = unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, unbinding)
    await expect(refused).rejects.toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('1 in database postgres'),
    })
    expect(await loginKeyWorks(roleName)).toBe(true)
    for (const [reassignOwnedTo, code] of [
      ['postgres', 'INVALID_ARGUMENT'],
      ['postern', 'INVALID_ARGUMENT'],
      ['nobody', 'NOT_FOUND'],
    ] as const) {
      const options = { ...unbinding, reassignOwnedTo }
      const attempt = unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, options)
      await expect(attempt).rejects.toMatchObject({ code })
    }
    expect(await loginKeyWorks(roleName)).toBe(true)
    const heir = (await bind()).roleName
    const outcome = await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', roleName, {
      ...unbinding,
      reassignOwnedTo: heir,
    })
    expect(outcome).toBe('dropped')
    const { rows } = await superuser.query(`select tableowner from pg_tables where tablename = 'precious'`)
    expect(rows).toEqual([{ tableowner: heir }])
    const { rows: members } = await superuser.query(`select pg_has_role('postern', $1, 'usage') as has`, [heir])
    expect(members).toEqual([{ has: false }])
  })

  it('removes a binding whose role is gone, and one whose database is not to be asked', async () => {
    const gone = await bind()
    await superuser.query(`drop role ${pg.escapeIdentifier(gone.roleName)}`)
    expect(await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', gone.roleName, unbinding)).toBe('absent')
    const kept = await bind()
    expect(
      await unbindPostgresRole(fixture.deps, fixture.admin, 'orders', kept.roleName, { keepUpstreamRole: true }),
    ).toBe('left')
    const roles = await listPostgresRoles(fixture.deps, fixture.admin, 'orders', { limit: 1000 })
    expect(roles.map(({ roleName }) => roleName)).not.toContain(kept.roleName)
  })
})
