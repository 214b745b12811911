import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** What must stay out of reach of every Postgres role that Postern hands to somebody, the creator's and administrators' included. */
const escapes = [
  // a shell
  `copy (select 1) to program 'id'`,
  `create table public.loot (t text); copy public.loot from program 'id'`,
  `create extension plpython3u`,
  `create extension plperlu`,
  `create function public.run() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'system'`,
  `create function public.run() returns text language internal as 'pg_read_file'`,
  `load '/tmp/evil.so'`,
  `alter system set archive_command = 'id'`,
  `alter system set session_preload_libraries = '/tmp/evil.so'`,
  `alter database databricks_postgres set session_preload_libraries = 'evil'`,
  // an interpreter inside the server: one whose loop nothing can end
  `create extension if not exists pltcl; create function public.spin() returns text language pltcl as 'return 1'; select public.spin()`,
  `create extension if not exists pltcl; create function public.pltcl_is_switched_off() returns void language pltcl as 'return';
   set search_path = public; set pltcl.start_proc = ''; create function public.spin() returns text language pltcl as 'return 1'; select public.spin()`,
  `create extension if not exists plperl; do $$ 1 $$ language plperl`,
  // a server file, the data folder
  `copy (select 1) to '/tmp/postern-escape'`,
  `create table public.loot (t text); copy public.loot from '/etc/passwd'`,
  `select pg_read_file('/etc/passwd')`,
  `select pg_read_binary_file('PG_VERSION')`,
  `select pg_ls_dir('.')`,
  `select * from pg_stat_file('PG_VERSION')`,
  `select * from pg_ls_waldir()`,
  `select lo_import('/etc/passwd')`,
  `select lo_export(lo_from_bytea(0, 'x'), '/tmp/postern-escape')`,
  `create extension file_fdw`,
  `create extension adminpack`,
  `create extension pageinspect`,
  `create tablespace loot location '/tmp'`,
  `select * from pg_hba_file_rules`,
  `select * from pg_read_server_files`,
  `set log_directory = '/tmp'`,
  // more rights than were given
  `grant pg_execute_server_program to session_user`,
  `grant pg_read_server_files to session_user`,
  `grant pg_write_server_files to session_user`,
  `create role boss superuser`,
  `create role boss replication`,
  `create role sneaky login; grant postern_bound to sneaky`,
  `grant postern_admin to session_user`,
  `grant postern_supervisor to session_user`,
  `set role postern_admin`,
  `set session authorization postern_supervisor`,
  `alter role postern_admin password 'mine'`,
  `alter role postern_supervisor password 'mine'`,
  `alter role postern_bound rename to gone`,
  `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postern_supervisor'`,
  `select pg_reload_conf()`,
  `select pg_rotate_logfile()`,
  `select pg_switch_wal()`,
  // the database itself as a way around the gateway
  `create extension dblink`,
  `create extension postgres_fdw`,
  `create subscription s connection 'host=/run dbname=postgres' publication p`,
  `select * from pg_create_physical_replication_slot('s')`,
]

describeWith(['psql'], 'SQL of a Postgres role that is handed to somebody', () => {
  let postern: RunningPostern<DemoReadyFile>
  let admin: ControlPlane
  beforeAll(async () => {
    postern = await startDemo()
    admin = await postern.asAdmin()
  })
  afterAll(() => postern?.stop())

  const run = async (as: ControlPlane, user: string, sql: string) => {
    const login = { user, password: await as.mintCredential('sample'), database: postern.ready.database }
    return psql(postern.libpqTarget({ gatewayHost: 'sample.postern.localhost' }, login), sql)
  }

  test('reaches no shell, no server file, no data folder and no other role: creator with CREATEDB, CREATEROLE and the administrators’ role', async () => {
    const { adminEmail } = postern.ready
    const { stdout } = await run(
      admin,
      adminEmail,
      `select rolcreatedb, rolcreaterole, rolsuper, rolreplication, pg_has_role('databricks_superuser', 'member') from pg_roles where rolname = session_user`,
    )
    expect(stdout).toBe('t|t|f|f|t\n')
    const reached: string[] = []
    for (const sql of escapes) {
      const { code } = await run(admin, adminEmail, `begin; ${sql}; rollback`)
      // Statements that cannot run in a transaction must fail outside one too.
      const outside = code === 0 ? code : (await run(admin, adminEmail, sql)).code
      if (code === 0 || outside === 0) reached.push(sql)
    }
    expect(reached).toEqual([])
  })

  test('reaches none of them as an ordinary bound role either', async () => {
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    const application = await postern.asServicePrincipal(clientId, clientSecret)
    const reached: string[] = []
    // Administrators can read verifiers, as pg_read_all_data lets them in every Postgres; SECURITY.md says what that gives.
    for (const sql of [...escapes, 'select rolpassword from pg_authid']) {
      if ((await run(application, clientId, sql)).code === 0) reached.push(sql)
    }
    expect(reached).toEqual([])
  })

  test('gives a role that somebody made in SQL no way in', async () => {
    const { adminEmail } = postern.ready
    expect(await run(admin, adminEmail, `create role homemade login password 'a long password'`)).toMatchObject({
      code: 0,
    })
    const login = { user: 'homemade', password: 'a long password', database: postern.ready.database }
    const native = await psql(postern.libpqTarget({ gatewayHost: 'sample.postern.localhost' }, login), 'select 1')
    expect(native).toMatchObject({ code: 2 })
    expect(native.stderr).toContain('password authentication failed')
    const asOwn = await run(admin, 'homemade', 'select 1')
    expect(asOwn.stderr).toContain('is not bound to any principal')
  })

  test('cannot drop, rename, re-password or join another principal’s bound Postgres role', async () => {
    const { adminEmail } = postern.ready
    const victim = await admin.createServicePrincipal('victim')
    await admin.bindPostgresRole('sample', victim.clientId)
    const attempts = [
      `drop role "${victim.clientId}"`,
      `alter role "${victim.clientId}" rename to moved`,
      `alter role "${victim.clientId}" password 'known'`,
      `grant "${victim.clientId}" to session_user`,
    ]
    for (const sql of attempts) expect((await run(admin, adminEmail, sql)).code).not.toBe(0)
  })
})
