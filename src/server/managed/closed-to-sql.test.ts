import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../base/secret.ts'
import { currentUid, currentUserName, ensureOsUser } from '../../postgres-server/os-user.ts'
import { claimSocketFolder, claimSocketRoot } from '../../postgres-server/socket-folder.ts'
import { type RunningPostgres, startLocalPostgres } from '../../postgres-server/start-local-postgres.ts'
import { managedHba, managedIdent, SUPERVISOR_ROLE } from './managed-roles.ts'
import { provisionManagedInstance, setAdminPassword } from './provision-managed-instance.ts'

/** The most that a person is ever handed: what the creator of an instance gets. */
const PERSON = 'creator@postern.test'
const outside = join(tmpdir(), `postern-escaped-${randomUUID()}`)

let folder: string
let socketRoot: string
let server: RunningPostgres

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-closed-'))
  socketRoot = claimSocketRoot(folder)
  const osUser = currentUid() === 0 ? await ensureOsUser('postern-pg-1', () => undefined) : undefined
  server = await startLocalPostgres({
    folder: join(folder, 'cluster'),
    socketFolder: claimSocketFolder(socketRoot, 'i1', osUser),
    osUser,
    superuserName: SUPERVISOR_ROLE,
    hba: managedHba(),
    ident: managedIdent(await currentUserName()),
    durable: false,
  })
  await provisionManagedInstance(server)
  const supervisor = await session(SUPERVISOR_ROLE, 'postgres')
  await supervisor.query(`create role "${PERSON}" login createdb createrole bypassrls`)
  await supervisor.query(`grant databricks_superuser, postern_bound to "${PERSON}"`)
  await supervisor.end()
}, 60_000)
afterAll(async () => {
  await server.stop()
  for (const path of [folder, socketRoot]) rmSync(path, { recursive: true, force: true })
})

async function session(user: string, database: string): Promise<pg.Client> {
  const password = user === SUPERVISOR_ROLE ? server.superuserPassword.reveal() : 'none'
  const client = new pg.Client({ host: server.socketFolder, user, database, password })
  // A test that fails leaves its session to the server's shutdown.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

const attacks: Record<string, readonly string[]> = {
  'a shell': [
    `copy (select 1) to program 'touch ${outside}'`,
    `create table s (t text); copy s from program 'id'`,
    'create extension plpython3u',
    'create extension plperlu',
    'create extension pltclu',
    `create function sys(cstring) returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'system'`,
    `create function sys(cstring) returns int language internal as 'system'`,
    `load '/lib/x86_64-linux-gnu/libc.so.6'`,
    `alter system set archive_command = 'touch ${outside}'`,
    `set session_preload_libraries = 'auto_explain'`,
    `alter role "${PERSON}" set session_preload_libraries = 'auto_explain'`,
    `set local_preload_libraries = '../../../tmp/x'; load 'x'`,
    `grant pg_execute_server_program to "${PERSON}"`,
  ],
  'a server file': [
    `copy (select 1) to '${outside}'`,
    `create table f (t text); copy f from '/etc/passwd'`,
    `select pg_read_file('/etc/passwd')`,
    `select pg_read_binary_file('/etc/passwd')`,
    `select pg_stat_file('/etc/passwd')`,
    `select lo_import('/etc/passwd')`,
    `select lo_export(lo_create(0), '${outside}')`,
    'create extension file_fdw',
    `create tablespace t location '${tmpdir()}'`,
    `grant pg_read_server_files to "${PERSON}"`,
    `grant pg_write_server_files to "${PERSON}"`,
  ],
  'the data folder': [
    `select pg_ls_dir('.')`,
    `select * from pg_ls_waldir()`,
    `select * from pg_ls_logdir()`,
    `select * from pg_ls_tmpdir()`,
    `select * from pg_ls_archive_statusdir()`,
    `select * from pg_ls_logicalsnapdir()`,
    'select pg_current_logfile()',
    `select pg_read_file('PG_VERSION')`,
    'select * from pg_hba_file_rules',
    'select * from pg_ident_file_mappings',
    'select * from pg_file_settings',
    'create extension pageinspect',
    'create extension pg_walinspect',
    'create extension pg_surgery',
  ],
  'another machine or socket': [
    'create extension dblink',
    'create extension postgres_fdw',
    `create subscription s connection 'host=/tmp' publication p`,
    `select pg_create_physical_replication_slot('s')`,
    `select pg_create_logical_replication_slot('s', 'test_decoding')`,
  ],
  'more rights': [
    `alter role "${PERSON}" superuser`,
    `alter role "${PERSON}" replication`,
    'create role r superuser',
    'create role r replication',
    'set role postern_supervisor',
    'set role postern_admin',
    'set session authorization postern_supervisor',
    `grant postern_admin to "${PERSON}"`,
    `grant postern_supervisor to "${PERSON}"`,
    `grant "${PERSON}" to postern_supervisor`,
    `create role r; grant postern_bound to r`,
    `create role r; grant databricks_superuser to r`,
    `alter role postern_admin password 'x'`,
    `alter role postern_supervisor password 'x'`,
    `alter role postern_admin set search_path = public`,
    'drop role postern_bound',
    'alter database databricks_postgres owner to current_user',
    'alter database template1 with is_template false',
    'create event trigger t on login execute function pg_catalog.suppress_redundant_updates_trigger()',
    `update pg_authid set rolsuper = true`,
    `delete from pg_db_role_setting`,
  ],
}

const INSUFFICIENT_PRIVILEGE = '42501'
const ALTER_SYSTEM_IS_OFF = '0A000'
/** Refused inside a transaction for that alone, which would prove nothing. */
const NOT_IN_TRANSACTION = /^(alter system|create subscription|create tablespace)/

for (const [goal, statements] of Object.entries(attacks)) {
  describe(`no SQL of a person reaches ${goal}`, () => {
    for (const database of ['databricks_postgres', 'own']) {
      test(`in ${database === 'own' ? 'a database of his own, made from template0' : 'the first database'}`, async () => {
        if (database === 'own') await makeOwnDatabase()
        const person = await session(PERSON, database)
        for (const statement of statements) {
          const mayBeUndone = !NOT_IN_TRANSACTION.test(statement)
          if (mayBeUndone) await person.query('begin')
          const outcome = await person.query(statement).then(
            () => 'ran',
            (error: pg.DatabaseError) => error.code,
          )
          if (mayBeUndone) await person.query('rollback')
          const refusal = statement.startsWith('alter system') ? ALTER_SYSTEM_IS_OFF : INSUFFICIENT_PRIVILEGE
          expect(`${statement}: ${outcome}`).toBe(`${statement}: ${refusal}`)
        }
        await person.end()
        expect(existsSync(outside)).toBe(false)
      })
    }
  })
}

async function makeOwnDatabase(): Promise<void> {
  const person = await session(PERSON, 'databricks_postgres')
  const { rowCount } = await person.query(`select from pg_database where datname = 'own'`)
  if (rowCount === 0) await person.query('create database own template template0')
  await person.end()
}

test('a bound role has no way in with a password, not even one that it gave itself', async () => {
  const person = await session(PERSON, 'databricks_postgres')
  await person.query(`alter role "${PERSON}" password 'known'`)
  await person.end()
  // The line that every bound role meets first knows no password.
  const supervisor = await session(SUPERVISOR_ROLE, 'postgres')
  const { rows } = await supervisor.query(
    `select auth_method from pg_hba_file_rules where user_name = '{+postern_bound}'`,
  )
  expect(rows).toEqual([{ auth_method: 'peer' }])
  await supervisor.end()
})

test('a trusted language stays in its cage where the machine has its library, and is unknown elsewhere', async () => {
  const person = await session(PERSON, 'databricks_postgres')
  for (const [language, escape] of [
    ['pltcl', `exec touch ${outside}`],
    ['pltcl', 'open "/etc/passwd"'],
    ['plperl', `system('touch ${outside}')`],
  ]) {
    await person.query(`create extension if not exists ${language}`).catch(() => undefined)
    await expect(person.query(`do $$ ${escape} $$ language ${language}`)).rejects.toThrow()
  }
  await person.end()
  expect(existsSync(outside)).toBe(false)
})

test('template databases are closed to people', async () => {
  await expect(session(PERSON, 'template1')).rejects.toMatchObject({ code: '42501' })
  await expect(session(PERSON, 'template0')).rejects.toMatchObject({ code: '55000' })
})

test('the password of the admin data source stands in no statement, and no log that keeps statements holds it', async () => {
  const password = new Secret('a pass-word of the admin data source')
  const supervisor = await session(SUPERVISOR_ROLE, 'postgres')
  await supervisor.query(`alter role ${SUPERVISOR_ROLE} set log_statement = 'all'`)
  await setAdminPassword(server, password)
  await supervisor.query(`alter role ${SUPERVISOR_ROLE} reset log_statement`)
  await supervisor.end()
  const log = () => readFileSync(join(folder, 'cluster', 'postgres.log'), 'utf8')
  await expect.poll(log).toContain('alter role postern_admin password')
  expect(log()).not.toContain(password.reveal())
  const { socketFolder: host } = server
  const admin = new pg.Client({ host, user: 'postern_admin', database: 'postgres', password: password.reveal() })
  await admin.connect()
  await admin.end()
})

test('provisioning may be repeated from any point', async () => {
  const supervisor = await session(SUPERVISOR_ROLE, 'postgres')
  await supervisor.query('comment on role postern_bound is null')
  await provisionManagedInstance(server)
  await provisionManagedInstance(server)
  await supervisor.end()
})
