import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { RoleSession } from '../engine.ts'
import { withPostgresErrors } from './errors.ts'

/** SCRAM-SHA-256 came with version 10. */
const OLDEST_VERSION_NUMBER = 100_000

/** Version of the server as it names it, for example `18.4`. */
export async function readServerVersion(client: pg.Client): Promise<string> {
  const { rows } = await withPostgresErrors(client.query<{ server_version: string }>('show server_version'))
  return rows[0]?.server_version.split(' ', 1)[0] ?? ''
}

/**
 * What Postern must be allowed on the server before it can bind Postgres roles there.
 * @throws PosternError UPSTREAM_PERMISSION with the GRANT to run, INVALID_ARGUMENT for a standby or a server that is too old
 */
export async function checkPostgresPrivileges(client: pg.Client): ReturnType<RoleSession['checkPrivileges']> {
  const { rows } = await withPostgresErrors(
    client.query<{ version: number; standby: boolean; name: string; create_role: boolean; create_db: boolean }>(
      `select current_setting('server_version_num')::int as version, pg_is_in_recovery() as standby, r.rolname as name,
         r.rolsuper or r.rolcreaterole as create_role, r.rolsuper or r.rolcreatedb as create_db
       from pg_catalog.pg_roles r where r.rolname = current_user`,
    ),
  )
  const row = rows[0]
  if (row === undefined)
    throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not know the user that it let in')
  if (row.version < OLDEST_VERSION_NUMBER)
    throw new PosternError('INVALID_ARGUMENT', 'the database is older than PostgreSQL 10, which cannot do SCRAM')
  if (row.standby) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'the database is a standby: an admin data source must lead to the primary',
      {
        hint: 'Use the address of the primary server.',
      },
    )
  }
  const user = pg.escapeIdentifier(row.name)
  return {
    systemIdentifier: await readSystemIdentifier(client, user),
    missingPrivileges: row.create_role ? [] : [`ALTER ROLE ${user} CREATEROLE CREATEDB`],
  }
}

async function readSystemIdentifier(client: pg.Client, user: string): Promise<string> {
  const { rows } = await withPostgresErrors(
    client.query<{ id: string }>('select system_identifier::text as id from pg_catalog.pg_control_system()'),
    `GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO ${user}`,
  )
  const id = rows[0]?.id
  if (id === undefined) throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not name its cluster')
  return id
}
