import pg from 'pg'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import { newUuid, type InstanceId, type PrincipalId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { RoleAttributes } from '../engines/engine.ts'
import { SessionStatements } from '../keys/session-statements.ts'
import { databricksAuthExtension } from '../postgres-server/databricks-auth/extension-files.ts'
import { currentUserName } from '../postgres-server/os-user.ts'
import { writeAdminDataSource } from '../server/managed/admin-data-source.ts'
import { ADMIN_ROLE, managedHba, managedIdent } from '../server/managed/managed-roles.ts'
import { provisionManagedInstance, setAdminPassword } from '../server/managed/provision-managed-instance.ts'
import { insertInstance } from '../store/instances.ts'
import { putInstancePermission } from '../store/instance-permissions.ts'
import { findPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { setPrincipalActive } from '../store/principals.ts'
import { attendInstance } from './attend-sql-roles.ts'
import { bindPostgresRole } from './bind-postgres-role.ts'
import type { SqlRoleDependencies } from './complete-sql-role.ts'

let managed: EmbeddedPostgres
let fixture: InstanceFixture
let deps: SqlRoleDependencies
let superuser: pg.Client
let version = 0
const instanceId = newUuid<InstanceId>()
const HOUR_MS = 3_600_000

interface Person {
  readonly id: PrincipalId
  readonly roleName: string
  readonly roleOid: string
}
/** Manages the instance, administers its databases, may make Postgres roles. */
let boss: Person

beforeAll(async () => {
  const local = await startEmbeddedPostgres()
  managed = await startEmbeddedPostgres({
    hba: managedHba(),
    ident: managedIdent(await currentUserName()),
    extensions: databricksAuthExtension(ADMIN_ROLE),
  })
  fixture = await createInstanceFixture(await local.freshStore())
  superuser = await managed.superuser('databricks_postgres').catch(() => managed.superuser())
  await provisionManagedInstance(managed.server)
  await superuser.end()
  superuser = await managed.superuser('databricks_postgres')
  const sessionStatements = SessionStatements.unread(fixture.deps.store, fixture.deps.masterKey)
  await sessionStatements.load()
  deps = { ...fixture.deps, sessionStatements }
  await insertInstance(deps.store.db, {
    id: instanceId,
    workspaceId: fixture.admin.workspaceId,
    name: 'sample',
    kind: 'managed',
    engine: 'postgres',
    state: 'AVAILABLE',
    defaultDatabase: 'databricks_postgres',
    creatorId: fixture.admin.principalId,
    systemIdentifier: managed.server.systemIdentifier,
  })
  const password = new Secret('password of the admin data source')
  await setAdminPassword(managed.server, password)
  await writeAdminDataSource(deps.store.db, instanceId, managed.server, password, deps.masterKey)
  boss = await person({ level: 'manage', createRole: true, administrator: true })
  const session = await sessionOf(boss)
  await session.query('create extension if not exists databricks_auth')
  await session.end()
  await attend()
  return async () => {
    await superuser.end()
    await managed.stop()
    await local.stop()
  }
}, 60_000)

async function person({
  level,
  createRole = false,
  administrator = false,
  bypassRls = false,
}: {
  level?: 'use' | 'manage'
  createRole?: boolean
  administrator?: boolean
  bypassRls?: boolean
}): Promise<Person> {
  const { id, clientId } = await fixture.addPrincipal()
  if (level !== undefined) await putInstancePermission(deps.store.db, instanceId, id, level)
  const attributes: RoleAttributes = { createDb: false, createRole, bypassRls }
  const input = { principal: { clientId }, attributes, administrator }
  const { roleName, roleOid } = await bindPostgresRole(deps, fixture.admin, 'sample', input)
  return { id, roleName, roleOid }
}

function statementFor({ id, roleOid }: Person, expiresAt = new Date(Date.now() + HOUR_MS)): string {
  const { systemIdentifier } = managed.server
  return deps.sessionStatements.sign({ instanceId, systemIdentifier, roleOid, principalId: id, expiresAt })
}

/** As the gateway opens it: by peer, with what Postern signed of it. */
async function sessionOf(who: Person, statement = statementFor(who), database = 'databricks_postgres') {
  const { socketFolder: host, port } = managed.server
  const options = statement === '' ? '' : `-c postern.session=${statement}`
  const client = new pg.Client({ host, port, user: who.roleName, database, password: 'none', options })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** One look of Postern at the instance. */
async function attend(): Promise<string[]> {
  const failed: string[] = []
  await attendInstance(
    deps,
    { instanceId, databases: undefined },
    { version: () => ++version, pause: async () => false, onFailure: (database) => failed.push(database) },
  )
  return failed
}

const createRole = (session: pg.Client, name: string, type = 'SERVICE_PRINCIPAL') =>
  session.query('select databricks_create_role($1, $2)', [name, type])

async function listed(session: pg.Client, name: string) {
  const { rows } = await session.query(
    'select identity_type, identity_id, state, reason from databricks_list_roles where role_name = $1',
    [name],
  )
  return rows
}

const bindingOf = (roleName: string) => findPostgresRoleBinding(deps.store.db, instanceId, roleName)

/** A principal that has no Postgres role yet, and that the database has been told of. */
async function newcomer(): Promise<{ id: PrincipalId; clientId: string }> {
  const added = await fixture.addPrincipal()
  await attend()
  return added
}

describe('databricks_create_role', () => {
  it('makes a Postgres role that Postern binds, and that the identity then logs in as', async () => {
    const session = await sessionOf(boss)
    const { id, clientId } = await newcomer()
    await createRole(session, clientId, 'Service_Principal')
    expect(await listed(session, clientId)).toEqual([
      { identity_type: 'service_principal', identity_id: id, state: 'pending', reason: null },
    ])
    await attend()
    expect(await bindingOf(clientId)).toMatchObject({ principalId: id, isAdministrator: false })
    await attend()
    expect(await listed(session, clientId)).toEqual([
      { identity_type: 'service_principal', identity_id: id, state: 'bound', reason: null },
    ])
    const { rows } = await superuser.query(
      `select rolsuper, rolreplication, rolcreaterole, rolcreatedb, rolbypassrls, rolpassword,
         shobj_description(oid, 'pg_authid') as label from pg_authid where rolname = $1`,
      [clientId],
    )
    expect(rows[0]).toEqual({
      rolsuper: false,
      rolreplication: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolbypassrls: false,
      rolpassword: null,
      label: `Postern: SERVICE_PRINCIPAL ${id}`,
    })
    const own = await sessionOf({ id, roleName: clientId, roleOid: '' }, '')
    expect((await own.query('select current_user as me')).rows).toEqual([{ me: clientId }])
    await own.end()
    await session.end()
    expect((await fixture.auditTrail()).at(-1)).toBe('postgresRole.bind allowed')
  })

  it('works in any database that the extension is made in, at once', async () => {
    await superuser.query(`create database elsewhere owner "${boss.roleName}"`)
    const session = await sessionOf(boss, statementFor(boss), 'elsewhere')
    await session.query('create extension databricks_auth')
    const { clientId } = await fixture.addPrincipal()
    const creating = createRole(session, clientId)
    await attend()
    await creating
    await attend()
    expect(await bindingOf(clientId)).toBeDefined()
    await session.end()
  })

  it('works on although the owner of one database keeps Postern out of it', async () => {
    await superuser.query(`create database a_closed_one owner "${boss.roleName}"`)
    const owner = await sessionOf(boss, statementFor(boss), 'a_closed_one')
    await owner.query('create extension databricks_auth; revoke connect on database a_closed_one from public')
    const { clientId } = await fixture.addPrincipal()
    expect(await attend()).toEqual(['a_closed_one'])
    const session = await sessionOf(boss)
    await createRole(session, clientId)
    expect(await attend()).toEqual(['a_closed_one'])
    expect(await bindingOf(clientId)).toBeDefined()
    await Promise.all([owner.end(), session.end()])
    await superuser.query('drop database a_closed_one')
  })

  it('leaves nothing when its transaction is rolled back', async () => {
    const session = await sessionOf(boss)
    const { clientId } = await newcomer()
    await session.query('begin')
    await createRole(session, clientId)
    await session.query('rollback')
    await attend()
    expect(await listed(session, clientId)).toEqual([])
    expect((await superuser.query('select from pg_roles where rolname = $1', [clientId])).rowCount).toBe(0)
    await session.end()
  })

  it('fails once the credential has expired, while plain SQL goes on', async () => {
    const before = await newcomer()
    const after = await newcomer()
    const session = await sessionOf(boss, statementFor(boss, new Date(Date.now() + 2_000)))
    await createRole(session, before.clientId)
    await session.query('select pg_sleep(2)')
    await expect(createRole(session, after.clientId)).rejects.toMatchObject({
      code: '28000',
      message: expect.stringMatching(/credential of this session expired/),
    })
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await session.end()
  })

  it('refuses who does not belong to the workspace, another kind, and another way of writing the name', async () => {
    const { clientId } = await newcomer()
    const inactive = await fixture.addPrincipal()
    await setPrincipalActive(deps.store.db, inactive.id, false)
    await attend()
    const wrong = [
      ['nobody@example.test', 'USER'],
      [clientId, 'USER'],
      [clientId.toUpperCase(), 'SERVICE_PRINCIPAL'],
      [inactive.clientId, 'SERVICE_PRINCIPAL'],
    ] as const
    await Promise.all(
      wrong.map(async ([name, type]) => {
        const session = await sessionOf(boss)
        await expect(createRole(session, name, type)).rejects.toMatchObject({ code: '42704' })
        await session.end()
      }),
    )
    const session = await sessionOf(boss)
    await expect(createRole(session, clientId, 'PG_ONLY')).rejects.toMatchObject({ code: '22023' })
    await session.end()
  })

  it('never takes over a Postgres role that exists', async () => {
    const session = await sessionOf(boss)
    const { clientId } = await newcomer()
    await session.query(`create role "${clientId}"`)
    await expect(createRole(session, clientId)).rejects.toMatchObject({ code: '42710' })
    await session.query(`drop role "${clientId}"`)
    await session.end()
  })

  it('needs CREATEROLE for others; Postern removes what somebody without CAN_MANAGE made, and says why', async () => {
    const { clientId } = await newcomer()
    const plain = await person({ level: 'use' })
    const weak = await sessionOf(plain)
    await expect(createRole(weak, clientId)).rejects.toMatchObject({ code: '42501' })
    const stranger = await sessionOf(await person({ createRole: true }))
    await createRole(stranger, clientId)
    await attend()
    expect(await bindingOf(clientId)).toBeUndefined()
    expect(await listed(stranger, clientId)).toMatchObject([
      { state: 'refused', reason: expect.stringMatching(/CAN_MANAGE/) },
    ])
    expect((await superuser.query('select from pg_roles where rolname = $1', [clientId])).rowCount).toBe(0)
    expect((await fixture.auditTrail()).at(-1)).toBe('postgresRole.bind denied')
    await Promise.all([weak.end(), stranger.end()])
  })

  it('removes what was made by somebody who was deactivated meanwhile', async () => {
    const { clientId } = await newcomer()
    const leaver = await person({ level: 'manage', createRole: true })
    const session = await sessionOf(leaver)
    await createRole(session, clientId)
    await setPrincipalActive(deps.store.db, leaver.id, false)
    await attend()
    expect(await bindingOf(clientId)).toBeUndefined()
    expect((await superuser.query('select from pg_roles where rolname = $1', [clientId])).rowCount).toBe(0)
    await session.end()
  })
})

describe('what a session cannot do to databricks_create_role', () => {
  const refused = { code: '28000', message: expect.stringMatching(/opened with a database credential/) }

  it('bring a statement that Postern did not sign of this very session', async () => {
    const { clientId } = await newcomer()
    const another = await person({ level: 'manage', createRole: true })
    const good = statementFor(boss)
    const { systemIdentifier } = managed.server
    const signOf = (change: object) =>
      deps.sessionStatements.sign({
        instanceId,
        systemIdentifier,
        roleOid: boss.roleOid,
        principalId: boss.id,
        expiresAt: new Date(Date.now() + HOUR_MS),
        ...change,
      })
    const later = good.split(':').with(5, '9999999999').join(':')
    const forged = [
      '',
      'x',
      later,
      good.slice(0, -1),
      `${good.slice(0, -4)}0000`,
      good.replace(/[0-9a-f]{512}$/, '0'.repeat(512)),
      good.replace(/[0-9a-f]{512}$/, 'f'.repeat(512)),
      good.replace(/[0-9a-f]{512}$/, `${'0'.repeat(511)}1`),
      `${good}:`,
      statementFor(another),
      signOf({ systemIdentifier: '1' }),
      signOf({ instanceId: newUuid<InstanceId>() }),
    ]
    for (const statement of forged) {
      const session = await sessionOf(boss, '')
      await session.query(`select set_config('postern.session', $1, false)`, [statement])
      await expect(createRole(session, clientId), statement).rejects.toMatchObject(refused)
      await session.end()
    }
  })

  it('use it from a native Postgres role, by SET ROLE, or with a statement that somebody else’s session had', async () => {
    const { clientId } = await newcomer()
    await superuser.query(`create role native login createrole password 'native password'`)
    await superuser.query(`grant "${boss.roleName}" to native`)
    const { socketFolder: host, port } = managed.server
    const options = `-c postern.session=${statementFor(boss)}`
    const login = { host, port, user: 'native', password: 'native password', database: 'databricks_postgres', options }
    const native = new pg.Client(login)
    await native.connect()
    await expect(createRole(native, clientId)).rejects.toMatchObject(refused)
    await native.query(`set role "${boss.roleName}"`)
    await expect(createRole(native, clientId)).rejects.toMatchObject(refused)
    await native.end()
  })

  it('write to its tables as an administrator who may write everything, in any way', async () => {
    const session = await sessionOf(await person({ administrator: true, createRole: true, bypassRls: true }))
    for (const attack of [
      `update databricks_auth.setting set modulus = 1`,
      `delete from databricks_auth.setting`,
      `insert into databricks_auth.identity values ('USER', 'x', 1)`,
      `merge into databricks_auth.setting using (select 1) one on true when matched then update set modulus = 1`,
      `insert into databricks_auth.request values (1, 'a', 'USER', 1, '', now())`,
      `insert into databricks_auth.bound_role values (1, 'USER', 1) on conflict (role_oid) do update set identity_id = 2`,
      `truncate databricks_auth.setting`,
      `alter table databricks_auth.setting disable trigger all`,
      `set session_replication_role = replica`,
      `drop trigger only_owner_writes on databricks_auth.setting`,
      `create or replace function databricks_auth.only_owner_writes() returns trigger language plpgsql as 'begin return null; end'`,
      `create function databricks_auth.mine() returns int language sql as 'select 1'`,
      `set role postern_admin`,
      `grant postern_admin to current_user`,
      `grant postern_bound to current_user`,
    ]) {
      await expect(session.query(attack), attack).rejects.toMatchObject({ code: '42501' })
    }
    await session.end()
  })

  it('lead it astray by a search path, temporary objects or operators of its own', async () => {
    const { clientId } = await newcomer()
    const session = await sessionOf(boss, '')
    await session.query(`
      create schema trap;
      create function trap.is_signed(text, bytea, numeric) returns boolean language sql as 'select true';
      create function trap.sha256(bytea) returns bytea language sql as $$ select '\\x'::bytea $$;
      create function trap.clock_timestamp() returns timestamptz language sql as $$ select '-infinity'::timestamptz $$;
      create function trap.current_setting(text, boolean) returns text language sql as $$ select 'x' $$;
      create function trap.yes(text, text) returns boolean language sql as 'select false';
      create operator trap.<> (leftarg = text, rightarg = text, function = trap.yes);
      create temporary table pg_roles (oid oid, rolname name, rolcreaterole boolean);
      create temporary table setting (instance_id text, modulus numeric, marker name);
      set search_path = trap, pg_temp, pg_catalog, public;`)
    await expect(createRole(session, clientId)).rejects.toMatchObject(refused)
    const expired = statementFor(boss, new Date(Date.now() - 1_000))
    await session.query(`select set_config('postern.session', $1, false)`, [expired])
    await expect(createRole(session, clientId)).rejects.toMatchObject({ code: '28000' })
    await session.end()
  })

  it('find objects of its own in the extension that its database’s owner prepared', async () => {
    await superuser.query(`create database prepared owner "${boss.roleName}"`)
    const session = await sessionOf(boss, statementFor(boss), 'prepared')
    await session.query('create schema databricks_auth')
    await expect(session.query('create extension databricks_auth')).rejects.toMatchObject({ code: '42P06' })
    await session.query('drop schema databricks_auth')
    await session.query(`create function public.databricks_create_role(text, text) returns void language sql as ''`)
    await expect(session.query('create extension databricks_auth')).rejects.toMatchObject({ code: '42723' })
    await session.end()
  })

  it('have Postern work in objects that took the place of its own while it came', async () => {
    await superuser.query(`create database swapped owner "${boss.roleName}"`)
    const thief = await sessionOf(boss, statementFor(boss), 'swapped')
    await thief.query('create extension databricks_auth')
    expect(await attend()).toEqual([])
    const trap = `
      drop extension databricks_auth;
      create schema databricks_auth;
      create table public.caught (who name);
      grant insert on public.caught to public;
      create function public.spring() returns boolean language plpgsql as $$
        begin insert into public.caught values (current_user); return true; end $$;
      create function public.sprung() returns trigger language plpgsql as $$
        begin perform public.spring(); return null; end $$;
      create table databricks_auth.setting (instance_id text, modulus numeric, marker name);
      create table databricks_auth.identity (identity_type text, name_digest bytea, identity_id bigint);
      create table databricks_auth.bound_role (role_oid oid, identity_type text, identity_id bigint);
      create trigger t before delete or insert on databricks_auth.setting for each statement execute function public.sprung();
      create view databricks_auth.request as
        select 1::oid as role_oid, 'x'::name as role_name, 'USER'::text as identity_type, 1::bigint as identity_id,
          ''::text as session_statement, now() as requested_at, null::text as refusal where public.spring();
      grant usage on schema databricks_auth to public;
      grant all on all tables in schema databricks_auth to public;`
    await thief.query(`begin; ${trap}`)
    const attending = attend()
    await vi.waitFor(async () => {
      const { rowCount } = await superuser.query(`select from pg_locks where not granted`)
      expect(rowCount).toBeGreaterThan(0)
    })
    await thief.query('commit')
    await attending
    await attend()
    expect((await thief.query('select who from public.caught')).rows).toEqual([])
    await thief.end()
  })

  it('have Postern bind or drop a role by a row that even the owner of the tables made up', async () => {
    await superuser.query('create role bystander login')
    const { id } = await fixture.addPrincipal()
    await superuser.query(`set role ${ADMIN_ROLE}`)
    await superuser.query(
      `insert into databricks_auth.request select oid, rolname, 'SERVICE_PRINCIPAL', $1, $2, now() from pg_roles where rolname = 'bystander'`,
      [id, statementFor(boss).split(':').with(4, id).join(':')],
    )
    await superuser.query('reset role')
    await superuser.query(
      `do $$ begin execute format('comment on role bystander is %L', 'databricks_auth: waits for Postern, from database '
         || (select oid from pg_database where datname = current_database())); end $$`,
    )
    await attend()
    expect(await bindingOf('bystander')).toBeUndefined()
    expect((await superuser.query(`select from pg_roles where rolname = 'bystander'`)).rowCount).toBe(1)
    const { rows } = await superuser.query(`select state from databricks_list_roles where role_name = 'bystander'`)
    expect(rows).toEqual([{ state: 'refused' }])
  })
})
