import pg from 'pg'
import type { Secret } from '../../base/secret.ts'
import { scramVerifier } from '../../crypto/scram-verifier.ts'
import type { RunningPostgres } from '../../postgres-server/start-local-postgres.ts'
import { ADMIN_ROLE, ADMINISTRATORS_ROLE, BOUND_ROLE, DEFAULT_DATABASE } from './managed-roles.ts'

/** Stands in the comment of the bound role once everything below is done. Change it to have every instance provisioned again. */
const PROVISIONED = 'Postern: members log in through the gateway only. Provisioned, version 1.'

/**
 * Makes the roles and the database of a managed instance. Every step looks before it acts, so that it can be repeated after
 * a crash at any point; the last one leaves a mark, and an instance with the mark is left alone.
 */
export async function provisionManagedInstance(server: RunningPostgres): Promise<void> {
  await withSession(server, 'postgres', async (session) => {
    if (await isProvisioned(session)) return
    for (const database of ['postgres', 'template1']) await withSession(server, database, closeFolderListings)
    // New databases may also be made from template0, which nobody can log in to otherwise.
    await session.query('alter database template0 allow_connections true')
    await withSession(server, 'template0', closeFolderListings)
    await session.query('alter database template0 allow_connections false')
    await session.query('revoke all on database template1 from public')
    await makeRoles(session)
    await makeDatabase(session)
    await withSession(server, DEFAULT_DATABASE, openDefaultDatabase)
    await session.query(`comment on role ${BOUND_ROLE} is '${PROVISIONED}'`)
  })
}

/** Gives the admin data source's user a new password, which stands in no statement. */
export async function setAdminPassword(server: RunningPostgres, password: Secret): Promise<void> {
  await withSession(server, 'postgres', async (session) => {
    await session.query(`alter role ${ADMIN_ROLE} password ${pg.escapeLiteral(await scramVerifier(password))}`)
  })
}

async function isProvisioned(session: pg.Client): Promise<boolean> {
  const { rows } = await session.query<{ mark: string | null }>(
    `select pg_catalog.shobj_description(oid, 'pg_authid') as mark from pg_catalog.pg_roles where rolname = $1`,
    [BOUND_ROLE],
  )
  return rows[0]?.mark === PROVISIONED
}

/**
 * pg_monitor may list the folders of the server (WAL, temporary files, logs). The administrators' role is a member of it,
 * and no SQL of theirs is to look into the data folder. Privileges on functions are kept per database.
 */
async function closeFolderListings(session: pg.Client): Promise<void> {
  await session.query(`do $$
    declare listing regprocedure;
    begin
      for listing in select oid::regprocedure from pg_catalog.pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and (proname like 'pg\\_ls\\_%' or proname = 'pg_current_logfile')
      loop
        execute format('revoke execute on function %s from public, pg_monitor, pg_read_server_files', listing);
      end loop;
    end $$`)
}

async function makeRoles(session: pg.Client): Promise<void> {
  // BYPASSRLS and CREATEDB so that it can hand them on: a CREATEROLE role cannot give what it does not have.
  await makeRole(session, ADMIN_ROLE, 'login createrole createdb bypassrls nosuperuser noreplication')
  await makeRole(session, ADMINISTRATORS_ROLE, 'nologin nosuperuser nocreatedb nocreaterole')
  await makeRole(session, BOUND_ROLE, 'nologin nosuperuser nocreatedb nocreaterole')
  await session.query(`grant pg_read_all_data, pg_write_all_data, pg_monitor to ${ADMINISTRATORS_ROLE}`)
  // May make others members; has none of their privileges itself.
  await session.query(
    `grant ${ADMINISTRATORS_ROLE}, ${BOUND_ROLE} to ${ADMIN_ROLE} with admin option, inherit false, set false`,
  )
  // People own objects in the databases that it works in: their functions and operators must never be found by name.
  await session.query(`alter role ${ADMIN_ROLE} set search_path = pg_catalog`)
}

async function makeRole(session: pg.Client, name: string, attributes: string): Promise<void> {
  const { rowCount } = await session.query('select from pg_catalog.pg_roles where rolname = $1', [name])
  if (rowCount === 0) await session.query(`create role ${name} ${attributes}`)
}

async function makeDatabase(session: pg.Client): Promise<void> {
  const { rowCount } = await session.query('select from pg_catalog.pg_database where datname = $1', [DEFAULT_DATABASE])
  if (rowCount === 0) await session.query(`create database ${DEFAULT_DATABASE} owner ${ADMIN_ROLE}`)
}

async function openDefaultDatabase(session: pg.Client): Promise<void> {
  await session.query(`grant all on database ${DEFAULT_DATABASE} to ${ADMINISTRATORS_ROLE} with grant option`)
  await session.query(`grant all on schema public to ${ADMINISTRATORS_ROLE} with grant option`)
}

async function withSession(
  server: RunningPostgres,
  database: string,
  work: (session: pg.Client) => Promise<void>,
): Promise<void> {
  const session = new pg.Client({
    host: server.socketFolder,
    port: server.port,
    user: server.superuserName,
    password: server.superuserPassword.reveal(),
    ssl: false,
    database,
    application_name: 'postern supervisor',
    // A superuser's session must find nothing that others made: not by name, not by a setting of the database.
    options: '-c search_path=pg_catalog -c row_security=off -c session_replication_role=origin -c event_triggers=off',
    statement_timeout: 60_000,
    connectionTimeoutMillis: 10_000,
  })
  session.on('error', () => undefined)
  await session.connect()
  try {
    await work(session)
  } finally {
    await session.end().catch(() => undefined)
  }
}
