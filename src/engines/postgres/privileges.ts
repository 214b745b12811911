import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { EngineName } from '../../contract/engines.ts'
import type { PrivilegeReport, SessionPurpose } from '../engine.ts'
import { sqlstateOf } from './errors.ts'
import { refuseOldOrStandby } from './introspect.ts'
import type { OwnQuery } from './own-query.ts'

const { escapeIdentifier: quoteName } = pg

/** pg_read_all_data and pg_write_all_data came with version 14. */
const ALL_DATA_ROLES_SINCE = 140_000
const MAX_ENTRIES = 100

interface UserRow {
  readonly version: number
  readonly standby: boolean
  readonly name: string
  readonly database: string
  readonly superuser: boolean
  readonly create_role: boolean
  readonly create_db: boolean
  readonly bypass_rls: boolean
  readonly address: string | null
  readonly lag: number | null
  readonly memberships: string[]
}

interface SchemaRow {
  readonly name: string
  readonly usage: boolean
  readonly create: boolean
  readonly tables: number
  readonly readable: number
  readonly writable: number
}

/** What the session's user may do, and what it lacks for its purpose. */
export function checkPrivileges(own: OwnQuery, engine: EngineName, purpose: SessionPurpose): Promise<PrivilegeReport> {
  return engine === 'postgres' ? checkPostgres(own, purpose) : checkCompatible(own, engine, purpose)
}

/**
 * @throws PosternError INVALID_ARGUMENT when an admin's server is a standby or older than PostgreSQL 10
 */
async function checkPostgres(own: OwnQuery, purpose: SessionPurpose): Promise<PrivilegeReport> {
  const user = await readUser(own)
  if (purpose === 'admin') refuseOldOrStandby(user)
  const schemas = await readSchemas(own)
  const systemIdentifier = await readSystemIdentifier(own)
  const missing = purpose === 'admin' ? await missingForAdmin(own, user) : missingForReader(user, schemas)
  if (purpose === 'admin' && systemIdentifier === null) {
    missing.push(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO ${quoteName(user.name)}`)
  }
  return {
    user: user.name,
    privileges: [
      ...attributesOf(user),
      ...user.memberships.map((role) => `member of ${role}`),
      ...schemas.map(inWords),
    ].slice(0, MAX_ENTRIES),
    missingPrivileges: missing.slice(0, MAX_ENTRIES),
    warnings: purpose === 'admin' ? [] : await waysToWrite(own, user, schemas),
    seenAddress: user.address,
    systemIdentifier,
    replicaLagSeconds: user.lag,
  }
}

async function readUser(own: OwnQuery): Promise<UserRow> {
  const [user] = await own<UserRow>(
    `select current_setting('server_version_num')::int4 as version, pg_is_in_recovery() as standby,
       r.rolname::text as name, current_database()::text as database, r.rolsuper as superuser,
       r.rolcreaterole as create_role, r.rolcreatedb as create_db, r.rolbypassrls as bypass_rls,
       host(inet_client_addr()) as address,
       case when not pg_is_in_recovery() then null
         when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
         else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8 as lag,
       array(select m.rolname::text from pg_roles m
         where m.oid <> r.oid and not r.rolsuper and pg_has_role(r.oid, m.oid, 'member') order by 1) as memberships
     from pg_roles r where r.rolname = current_user`,
  )
  if (user === undefined)
    throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not know the user that it let in')
  return user
}

function readSchemas(own: OwnQuery): Promise<SchemaRow[]> {
  return own(
    `select n.nspname::text as name, has_schema_privilege(n.oid, 'USAGE') as usage,
       has_schema_privilege(n.oid, 'CREATE') as create, count(c.oid)::int4 as tables,
       count(c.oid) filter (where has_table_privilege(c.oid, 'SELECT'))::int4 as readable,
       count(c.oid) filter (where has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))::int4 as writable
     from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
     where n.nspname not like 'pg!_%' escape '!' and n.nspname <> 'information_schema'
     group by n.oid, n.nspname order by n.nspname`,
  )
}

async function readSystemIdentifier(own: OwnQuery): Promise<string | null> {
  try {
    const [row] = await own<{ id: string }>('select system_identifier::text as id from pg_control_system()')
    return row?.id ?? null
  } catch (thrown) {
    if (thrown instanceof PosternError && sqlstateOf(thrown.cause) === '42501') return null
    throw thrown
  }
}

/**
 * Services that are no superuser's give their own role instead; reading everything has a role since version 14; and to change
 * what another role owns one must be a member of it. Superusers are left out: their membership would be all power.
 */
async function missingForAdmin(own: OwnQuery, user: UserRow): Promise<string[]> {
  if (user.superuser) return []
  const name = quoteName(user.name)
  const attributes = [...(user.create_role ? [] : ['CREATEROLE']), ...(user.create_db ? [] : ['CREATEDB'])]
  const wanted = ['pg_monitor', ...(user.version >= ALL_DATA_ROLES_SINCE ? ['pg_read_all_data'] : [])]
  const services = await own<{ name: string }>(
    `select rolname::text as name from pg_roles where rolname in ('rds_superuser', 'cloudsqlsuperuser') order by 1`,
  )
  const owners = await own<{ name: string }>(
    `select r.rolname::text as name from pg_roles r
     where r.oid in (
         select refobjid from pg_shdepend where refclassid = 'pg_authid'::regclass and deptype = 'o'
         union select datdba from pg_database where datallowconn)
       and not r.rolsuper and r.rolname not like 'pg!_%' escape '!'
       and r.rolname not in ('rdsadmin', 'rds_superuser', 'cloudsqladmin', 'cloudsqlsuperuser')
       and not pg_has_role(r.oid, 'member')
       and not pg_has_role(r.oid, (select oid from pg_roles where rolname = current_user), 'member')
     order by 1 limit ${MAX_ENTRIES}`,
  )
  const roles = [...services.map((role) => role.name), ...wanted].filter((role) => !user.memberships.includes(role))
  return [
    ...(attributes.length === 0 ? [] : [`ALTER ROLE ${name} ${attributes.join(' ')}`]),
    ...[...roles, ...owners.map((role) => role.name)].map((role) => `GRANT ${quoteName(role)} TO ${name}`),
  ]
}

function missingForReader(user: UserRow, schemas: readonly SchemaRow[]): string[] {
  const name = quoteName(user.name)
  return schemas.flatMap((schema) => [
    ...(schema.usage ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(schema.name)} TO ${name}`]),
    ...(schema.readable === schema.tables
      ? []
      : [`GRANT SELECT ON ALL TABLES IN SCHEMA ${quoteName(schema.name)} TO ${name}`]),
  ])
}

async function waysToWrite(own: OwnQuery, user: UserRow, schemas: readonly SchemaRow[]): Promise<string[]> {
  const who = `the user ${user.name}`
  if (user.superuser) return [`${who} is a superuser: it can write everything, and more than SQL shows`]
  const [database] = await own<{ create: boolean }>(
    `select has_database_privilege(current_database(), 'CREATE') as create`,
  )
  const powers = ['pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program', 'rds_superuser']
  return [
    ...user.memberships
      .filter((role) => powers.includes(role))
      .map((role) => `${who} can write: it is a member of ${role}`),
    ...(user.create_role ? [`${who} can make Postgres roles (CREATEROLE)`] : []),
    ...(user.create_db ? [`${who} can make databases (CREATEDB)`] : []),
    ...(database?.create === true ? [`${who} can make schemas in the database ${user.database}`] : []),
    ...schemas
      .filter(({ writable }) => writable > 0)
      .map(({ name, writable }) => `${who} can write to ${writable} of the tables and views in the schema ${name}`),
    ...schemas
      .filter(({ create, usage }) => create && usage)
      .map(
        ({ name }) => `${who} can make tables in the schema ${name} (before PostgreSQL 15, everybody can in public)`,
      ),
  ].slice(0, MAX_ENTRIES)
}

function attributesOf(user: UserRow): string[] {
  return [
    ...(user.superuser ? ['SUPERUSER'] : []),
    ...(user.create_role ? ['CREATEROLE'] : []),
    ...(user.create_db ? ['CREATEDB'] : []),
    ...(user.bypass_rls ? ['BYPASSRLS'] : []),
  ]
}

function inWords({ name, usage, create, tables, readable, writable }: SchemaRow): string {
  if (!usage) return `schema ${name}: no USAGE`
  const words = [`SELECT on ${readable} of ${tables} tables and views`, `write to ${writable}`]
  return `schema ${name}: ${[...words, ...(create ? ['CREATE'] : [])].join(', ')}`
}

/** CockroachDB and Redshift: what their catalogs say in the same words as Postgres. */
async function checkCompatible(own: OwnQuery, engine: EngineName, purpose: SessionPurpose): Promise<PrivilegeReport> {
  const [user] = await own<{ name: string; superuser: boolean; create_db: boolean }>(
    `select u.usename::text as name, u.usesuper as superuser, u.usecreatedb as create_db
     from pg_catalog.pg_user u where u.usename = current_user`,
  )
  const schemas = await own<{ name: string; usage: boolean; create: boolean }>(
    `select n.nspname::text as name, has_schema_privilege(n.nspname::text, 'USAGE') as usage,
       has_schema_privilege(n.nspname::text, 'CREATE') as create
     from pg_catalog.pg_namespace n
     where n.nspname not like 'pg!_%' escape '!' and n.nspname not in ('information_schema', 'crdb_internal')
     order by n.nspname`,
  )
  const name = user?.name ?? ''
  const admin =
    engine === 'cockroachdb' ? `ALTER ROLE ${quoteName(name)} CREATEDB` : `ALTER USER ${quoteName(name)} CREATEDB`
  const lacksCreate = purpose === 'admin' && user?.superuser === false && !user.create_db
  return {
    user: name,
    privileges: [
      ...(user?.superuser === true ? ['SUPERUSER'] : []),
      ...(user?.create_db === true ? ['CREATEDB'] : []),
      ...schemas
        .filter(({ usage }) => usage)
        .map((schema) => `schema ${schema.name}: USAGE${schema.create ? ', CREATE' : ''}`),
    ].slice(0, MAX_ENTRIES),
    missingPrivileges: [
      ...(lacksCreate ? [admin] : []),
      ...schemas
        .filter(({ usage }) => !usage)
        .map((schema) => `GRANT USAGE ON SCHEMA ${quoteName(schema.name)} TO ${quoteName(name)}`),
    ].slice(0, MAX_ENTRIES),
    warnings:
      purpose === 'read_only' && (user?.superuser === true || schemas.some(({ create }) => create))
        ? [`the user ${name} can write: it is a superuser, or may make tables in a schema`]
        : [],
    seenAddress: null,
    systemIdentifier: null,
    replicaLagSeconds: null,
  }
}
