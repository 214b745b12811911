import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { EngineName } from '../../contract/engines.ts'
import type { DatabaseSummary } from '../catalog-shapes.ts'
import type { RoleSession } from '../engine.ts'
import { withPostgresErrors } from './errors.ts'
import type { OwnQuery } from './own-query.ts'

/** SCRAM-SHA-256 came with version 10. */
const OLDEST_VERSION_NUMBER = 100_000

/** What CockroachDB and Redshift call themselves; their server_version is that of the Postgres they are compatible with. */
const OWN_VERSIONS: Readonly<Partial<Record<EngineName, RegExp>>> = {
  cockroachdb: /CockroachDB \S+ v(\S+)/,
  redshift: /Redshift (\S+)/,
}

/** Version of the server as it names it, for example `18.4`. */
export async function readServerVersion(client: pg.Client, engine: EngineName = 'postgres'): Promise<string> {
  const pattern = OWN_VERSIONS[engine]
  if (pattern !== undefined) {
    const { rows } = await withPostgresErrors(client.query<{ version: string }>('select version() as version'))
    const version = rows[0]?.version ?? ''
    return pattern.exec(version)?.[1] ?? version
  }
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
  refuseOldOrStandby(row)
  const user = pg.escapeIdentifier(row.name)
  return {
    systemIdentifier: await readSystemIdentifier(client, user),
    missingPrivileges: row.create_role ? [] : [`ALTER ROLE ${user} CREATEROLE CREATEDB`],
  }
}

/** @throws PosternError INVALID_ARGUMENT for a server that no administrator's data source can lead to */
export function refuseOldOrStandby(server: { readonly version: number; readonly standby: boolean }): void {
  if (server.version < OLDEST_VERSION_NUMBER)
    throw new PosternError('INVALID_ARGUMENT', 'the database is older than PostgreSQL 10, which cannot do SCRAM')
  if (!server.standby) return
  throw new PosternError(
    'INVALID_ARGUMENT',
    'the database is a standby: an admin data source must lead to the primary',
    { hint: 'Use the address of the primary server.' },
  )
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

/** Databases of the services themselves, which nobody else may enter. */
const SERVICE_DATABASES: Readonly<Record<'postgres' | 'cockroachdb' | 'redshift', string>> = {
  postgres: `'rdsadmin', 'cloudsqladmin', 'azure_maintenance', 'azure_sys'`,
  cockroachdb: `'system'`,
  redshift: `'padb_harvest'`,
}

/** Databases that the user may enter, without templates. Their sizes where the user may know them. */
export async function listDatabases(own: OwnQuery, engine: EngineName): Promise<readonly DatabaseSummary[]> {
  const family = engine === 'cockroachdb' || engine === 'redshift' ? engine : 'postgres'
  const from = `from pg_catalog.pg_database d
    where not d.datistemplate and d.datallowconn and d.datname not in (${SERVICE_DATABASES[family]}) order by d.datname`
  const read = (collation: string, size: string) =>
    own<{ name: string; characterSet: string; collation: string | null; size: string | null }>(
      `select d.datname::text as name, pg_catalog.pg_encoding_to_char(d.encoding)::text as "characterSet",
         ${collation} as collation, ${size} as size ${from}`,
    )
  const withoutSize = () => read(family === 'redshift' ? 'null' : 'd.datcollate::text', 'null')
  const mayEnter = `pg_catalog.has_database_privilege(d.oid, 'CONNECT')`
  const rows =
    family === 'postgres'
      ? // Sizes are read from the files: too many of them, or a database that goes away meanwhile, must not fail the list.
        await read(
          'd.datcollate::text',
          `case when ${mayEnter} then pg_catalog.pg_database_size(d.oid)::text end`,
        ).catch(withoutSize)
      : await withoutSize()
  return rows.map(({ name, characterSet, collation, size }) => ({
    name,
    characterSet,
    collation,
    sizeBytes: size === null ? null : Number(size),
  }))
}
