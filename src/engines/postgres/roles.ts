import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { PostgresRoles, RoleAttributes, UpstreamRole } from '../engine.ts'
import { dropPostgresRole, MEMBERSHIP_OPTIONS_SINCE, type InDatabase } from './drop-role.ts'
import { endSessionsOfRole } from './end-sessions.ts'
import { withPostgresErrors } from './errors.ts'

const { escapeIdentifier: quoteName, escapeLiteral: quoteText } = pg

/** The administrators' role; it has this name on the compatible platform. */
const ADMINISTRATORS = 'databricks_superuser'
/** From PostgreSQL 14 on there are roles that read and write everything without being superuser. */
const ADMINISTRATORS_GRANTS = ['pg_read_all_data', 'pg_write_all_data', 'pg_monitor']

/** Work on Postgres roles by quoted names and values; each statement says what an administrator must grant if it is refused. */
export function postgresRoles(client: pg.Client, inDatabase: InDatabase): PostgresRoles {
  const run = async (statement: string, needed: string): Promise<void> => {
    await withPostgresErrors(client.query(statement), needed)
  }
  const self = async () => {
    const { rows } = await withPostgresErrors(client.query<{ name: string }>('select current_user as name'))
    return quoteName(rows[0]?.name ?? '')
  }
  return {
    find: (roleName) => findRole(client, roleName),

    async create(roleName, attributes, passwordVerifier) {
      const password = passwordVerifier === null ? 'null' : quoteText(passwordVerifier)
      await run(
        `create role ${quoteName(roleName)} login inherit nosuperuser noreplication ${words(attributes)} password ${password}`,
        `ALTER ROLE ${await self()} CREATEROLE ${words(attributes, { onlyGranted: true })}`.trim(),
      )
      const role = await findRole(client, roleName)
      if (role === undefined)
        throw new PosternError('UPSTREAM_PROTOCOL', 'the database made a Postgres role that it does not show')
      return role.oid
    },

    async restoreAttributes(roleName, found, attributes) {
      const changes = differences(found, attributes)
      if (changes.length === 0) return
      const statement = `ALTER ROLE ${quoteName(roleName)} ${changes.join(' ')}`
      await run(statement, statement)
    },

    async setPasswordVerifier(roleName, passwordVerifier) {
      const name = quoteName(roleName)
      await run(
        `alter role ${name} password ${quoteText(passwordVerifier)}`,
        `GRANT ${name} TO ${await self()} WITH ADMIN OPTION`,
      )
    },

    async grantMembership(group, roleName, kind) {
      const options =
        kind === 'marker' && (await versionNumber(client)) >= MEMBERSHIP_OPTIONS_SINCE
          ? ' with inherit false, set false'
          : ''
      await run(
        `grant ${quoteName(group)} to ${quoteName(roleName)}${options}`,
        `GRANT ${quoteName(group)} TO ${await self()} WITH ADMIN OPTION`,
      )
    },

    async revokeMembership(group, roleName) {
      const statement = `REVOKE ${quoteName(group)} FROM ${quoteName(roleName)}`
      await run(statement, statement)
    },

    async ensureAdministratorsRole() {
      if ((await findRole(client, ADMINISTRATORS)) !== undefined) return
      const user = await self()
      await run(`create role ${ADMINISTRATORS} nologin`, `ALTER ROLE ${user} CREATEROLE`)
      const grants = ADMINISTRATORS_GRANTS.join(', ')
      await run(`grant ${grants} to ${ADMINISTRATORS}`, `GRANT ${grants} TO ${user} WITH ADMIN OPTION`)
    },

    drop: (roleName, found, reassignOwnedTo) => dropPostgresRole(client, inDatabase, roleName, found, reassignOwnedTo),

    endSessions: (roleName, roleOid, pids) => endSessionsOfRole(client, roleName, roleOid, pids),
  }
}

async function findRole(client: pg.Client, roleName: string): Promise<UpstreamRole | undefined> {
  const { rows } = await withPostgresErrors(
    client.query(
      `select r.oid::text, r.rolcreatedb, r.rolcreaterole, r.rolbypassrls, r.rolcanlogin, r.rolsuper, r.rolreplication, r.rolinherit,
         coalesce(r.rolvaliduntil < 'infinity', false) as expires,
         array(select g.rolname::text from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid where m.member = r.oid) as member_of
       from pg_catalog.pg_roles r where r.rolname = $1`,
      [roleName],
    ),
  )
  const row = rows[0]
  return (
    row && {
      oid: row.oid,
      attributes: { createDb: row.rolcreatedb, createRole: row.rolcreaterole, bypassRls: row.rolbypassrls },
      canLogin: row.rolcanlogin,
      isSuperuser: row.rolsuper,
      mayReplicate: row.rolreplication,
      inherits: row.rolinherit,
      passwordExpires: row.expires,
      memberOf: row.member_of,
    }
  )
}

function words(attributes: RoleAttributes, { onlyGranted = false } = {}): string {
  const pairs: [boolean, string][] = [
    [attributes.createDb, 'CREATEDB'],
    [attributes.createRole, 'CREATEROLE'],
    [attributes.bypassRls, 'BYPASSRLS'],
  ]
  return pairs.flatMap(([has, word]) => (has ? [word] : onlyGranted ? [] : [`NO${word}`])).join(' ')
}

/** Only what differs: naming an attribute needs the privilege to change it, even where nothing changes. */
function differences(found: UpstreamRole, wanted: RoleAttributes): string[] {
  const { attributes } = found
  return [
    found.canLogin ? '' : 'LOGIN',
    found.inherits ? '' : 'INHERIT',
    found.isSuperuser ? 'NOSUPERUSER' : '',
    found.mayReplicate ? 'NOREPLICATION' : '',
    found.passwordExpires ? `VALID UNTIL 'infinity'` : '',
    attributes.createDb === wanted.createDb ? '' : wanted.createDb ? 'CREATEDB' : 'NOCREATEDB',
    attributes.createRole === wanted.createRole ? '' : wanted.createRole ? 'CREATEROLE' : 'NOCREATEROLE',
    attributes.bypassRls === wanted.bypassRls ? '' : wanted.bypassRls ? 'BYPASSRLS' : 'NOBYPASSRLS',
  ].filter((word) => word !== '')
}

async function versionNumber(client: pg.Client): Promise<number> {
  const { rows } = await withPostgresErrors(
    client.query<{ number: number }>(`select current_setting('server_version_num')::int as number`),
  )
  return rows[0]?.number ?? 0
}
