import pg from 'pg'
import type { EngineName } from '../../contract/engines.ts'
import type { GrantNames, SessionPurpose } from '../engine.ts'

const { escapeIdentifier: quoteName } = pg

/**
 * What an administrator of the database runs before its user is given to Postern; the user exists already. For a reader, in the
 * database that is named; `checkPrivileges` says what other schemas need.
 */
export function grantStatements(
  engine: EngineName,
  purpose: SessionPurpose,
  { username, database }: GrantNames,
): readonly string[] {
  const user = quoteName(username)
  if (purpose === 'read_only') {
    return [
      `GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${user}`,
      `GRANT USAGE ON SCHEMA public TO ${user}`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${user}`,
    ].slice(engine === 'redshift' ? 1 : 0)
  }
  if (engine === 'redshift') return [`ALTER USER ${user} CREATEDB CREATEUSER`]
  if (engine === 'cockroachdb') return [`GRANT admin TO ${user}`]
  return [`ALTER ROLE ${user} CREATEROLE CREATEDB`, `GRANT pg_monitor, pg_read_all_data TO ${user}`]
}
