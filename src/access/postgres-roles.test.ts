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
import { putInstancePermission } from '../store/instance-permissions.ts'
import { assignWorkspaceRole } from '../store/principals.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import { findPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { bindPostgresRole } from './bind-postgres-role.ts'
import { routeOf } from './data-source-secrets.ts'
import { listPostgresRoles } from './list-postgres-roles.ts'
import { loginKeyContext } from './login-key-context.ts'
import { repairPostgresRole } from './repair-postgres-role.ts'
import { updatePostgresRole } from './update-postgres-role.ts'
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

describe('who may bind', () => {
  async function memberWith(level: 'use' | 'manage' | undefined) {
    const { deps, admin } = fixture
    const { id, clientId } = await fixture.addPrincipal()
    const instance = await findInstance(deps.store.db, admin.workspaceId, 'orders')
    if (level !== undefined) await putInstancePermission(deps.store.db, instance!.id, id, level)
    const actor = { ...admin, principalId: id, name: clientId, workspaceRole: 'member' } as const
    return { actor, clientId }
  }
  const plain = { attributes: none, administrator: false }
  const denied = { code: 'PERMISSION_DENIED' }

  it('lets CAN_USE add a role for oneself, under one’s own name and without any attribute', async () => {
    const { actor, clientId } = await memberWith('use')
    const input = { principal: { clientId }, ...plain }
    for (const stepUp of [
      { administrator: true },
      { attributes: { ...none, createRole: true } },
      { attributes: { ...none, bypassRls: true } },
      { roleName: 'boss@example.test' },
    ]) {
      await expect(bindPostgresRole(fixture.deps, actor, 'orders', { ...input, ...stepUp })).rejects.toMatchObject(
        denied,
      )
    }
    expect((await bindPostgresRole(fixture.deps, actor, 'orders', input)).roleName).toBe(clientId)
    const update = updatePostgresRole(fixture.deps, actor, 'orders', clientId, { administrator: true })
    await expect(update).rejects.toMatchObject(denied)
    await expect(repairPostgresRole(fixture.deps, actor, 'orders', clientId)).rejects.toMatchObject(denied)
    await expect(unbindPostgresRole(fixture.deps, actor, 'orders', clientId, unbinding)).rejects.toMatchObject(denied)
  })

  it('lets CAN_MANAGE add, change, repair and drop roles of others, and nobody without a permission do any of it', async () => {
    const { clientId } = await fixture.addPrincipal()
    const input = { principal: { clientId }, ...plain }
    for (const level of [undefined, 'use'] as const) {
      const { actor } = await memberWith(level)
      await expect(bindPostgresRole(fixture.deps, actor, 'orders', input)).rejects.toMatchObject(denied)
    }
    const { actor } = await memberWith('manage')
    await bindPostgresRole(fixture.deps, actor, 'orders', input)
    await updatePostgresRole(fixture.deps, actor, 'orders', clientId, { attributes: { createDb: true } })
    await repairPostgresRole(fixture.deps, actor, 'orders', clientId)
    expect(await unbindPostgresRole(fixture.deps, actor, 'orders', clientId, unbinding)).toBe('dropped')
  })
})

describe('names', () => {
  it('tell capitals from small letters, and refuse one that only looks like another', async () => {
    const small = await bind({ roleName: 'müller' })
    const capital = await bind({ roleName: 'MÜLLER' })
    expect(small.roleOid).not.toBe(capital.roleOid)
    await expect(bind({ roleName: 'müller'.normalize('NFD') })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(bind({ roleName: `${'m'.repeat(62)}ü` })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('a group', () => {
  it('and its members get no membership and no grant on the database, whoever joins or leaves', async () => {
    const { deps, admin } = fixture
    const group = newNumericId<PrincipalId>()
    const member = await fixture.addPrincipal()
    const { db } = deps.store
    await db.insertInto('principal').values({ id: group, kind: 'group', display_name: 'Data Team' }).execute()
    await db.insertInto('principal_group').values({ principal_id: group }).execute()
    await assignWorkspaceRole(db, { workspaceId: admin.workspaceId, principalId: group, role: 'member' })
    await bindPostgresRole(deps, admin, 'orders', {
      principal: { clientId: member.clientId },
      attributes: none,
      administrator: false,
    })
    const privileges = () =>
      superuser.query(`
        select (select jsonb_agg(m order by m.oid) from pg_auth_members m where m.member <> 'postern'::regrole) as memberships,
          (select count(*) from pg_shdepend where deptype = 'a') as grants`)
    const before = await privileges()
    const role = await bindPostgresRole(deps, admin, 'orders', {
      principal: { group: 'Data Team' },
      attributes: none,
      administrator: false,
    })
    expect(role).toMatchObject({ roleName: 'Data Team', principalKind: 'group', principalId: group })
    await db.insertInto('group_member').values({ group_id: group, member_id: member.id }).execute()
    expect((await privileges()).rows).toEqual(before.rows)
    await db.deleteFrom('group_member').where('group_id', '=', group).execute()
    expect((await privileges()).rows).toEqual(before.rows)
  })
})

describe('changing', () => {
  it('sets what it names, leaves the rest, and says so in the audit', async () => {
    const { roleName } = await bind({ attributes: { createDb: true, createRole: false, bypassRls: true } })
    const change = { attributes: { createDb: false, createRole: true }, administrator: true }
    const changed = await updatePostgresRole(fixture.deps, fixture.admin, 'orders', roleName, change)
    expect(changed).toMatchObject({
      attributes: { createDb: false, createRole: true, bypassRls: true },
      isAdministrator: true,
    })
    expect(await upstreamRole(roleName)).toMatchObject({
      rolcreatedb: false,
      rolcreaterole: true,
      rolbypassrls: true,
      rolreplication: false,
      member_of: ['databricks_superuser'],
    })
    await updatePostgresRole(fixture.deps, fixture.admin, 'orders', roleName, { administrator: false })
    expect(await upstreamRole(roleName)).toMatchObject({ rolcreaterole: true, member_of: [] })
    expect((await fixture.auditTrail()).slice(-2)).toEqual([
      'postgresRole.update allowed',
      'postgresRole.update allowed',
    ])
    const { findings } = await repairPostgresRole(fixture.deps, fixture.admin, 'orders', roleName)
    expect(findings).toEqual([])
  })

  it('never changes a role that was dropped and made again under the same name', async () => {
    const { roleName } = await bind()
    await superuser.query(`drop role "${roleName}"; create role "${roleName}" login`)
    await expect(
      updatePostgresRole(fixture.deps, fixture.admin, 'orders', roleName, { administrator: true }),
    ).rejects.toMatchObject({ code: 'ROLE_DRIFTED' })
    expect(await upstreamRole(roleName)).toMatchObject({ member_of: [] })
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
