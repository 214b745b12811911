import mysql from 'mysql2'
import type { GrantNames, SessionPurpose } from '../engine.ts'

/** What an administrator needs on all databases, in names that the whole family takes. */
export const ADMIN_PRIVILEGES = [
  'ALTER',
  'ALTER ROUTINE',
  'CREATE',
  'CREATE ROUTINE',
  'CREATE VIEW',
  'DELETE',
  'DROP',
  'EVENT',
  'EXECUTE',
  'INDEX',
  'INSERT',
  'LOCK TABLES',
  'PROCESS',
  'REFERENCES',
  'RELOAD',
  'REPLICATION CLIENT',
  'REPLICATION SLAVE',
  'SELECT',
  'SHOW DATABASES',
  'SHOW VIEW',
  'TRIGGER',
  'UPDATE',
]

/** What a reader needs. */
export const READER_PRIVILEGES = ['SELECT', 'SHOW VIEW']

/**
 * What an administrator of the database runs before its user is given to Postern; the account exists already, for any host (`%`).
 */
export function grantStatements(purpose: SessionPurpose, { username, database }: GrantNames): readonly string[] {
  const account = `${quoteText(username)}@'%'`
  if (purpose === 'admin') return [`GRANT ${ADMIN_PRIVILEGES.join(', ')} ON *.* TO ${account}`]
  const place = database === '' ? '*.*' : `${mysql.escapeId(database, true)}.*`
  return [`GRANT ${READER_PRIVILEGES.join(', ')} ON ${place} TO ${account}`]
}

/** A text of SQL that reads the same whether or not the session's backslashes escape, as long as it has none. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
