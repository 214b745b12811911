import mysql from 'mysql2'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { PrivilegeReport, SessionPurpose } from '../engine.ts'
import { versionNumbers, type ServerIdentity } from './flavor.ts'
import { ADMIN_PRIVILEGES, quoteText, READER_PRIVILEGES } from './grants.ts'
import type { OwnQuery } from './own-query.ts'
import { parseGrant, type Grant } from './parse-grant.ts'

const MAX_ENTRIES = 100

/** What MariaDB calls some privileges since 10.5; GRANT takes the older names as well. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'BINLOG MONITOR': 'REPLICATION CLIENT',
  'REPLICA MONITOR': 'REPLICATION CLIENT',
  'REPLICATION REPLICA': 'REPLICATION SLAVE',
}

/** With any of these a user can change something. */
const WRITING = new Set([
  'ALL PRIVILEGES',
  'ALTER',
  'ALTER ROUTINE',
  'CREATE',
  'CREATE ROLE',
  'CREATE ROUTINE',
  'CREATE USER',
  'CREATE VIEW',
  'DELETE',
  'DELETE HISTORY',
  'DROP',
  'DROP ROLE',
  'EVENT',
  'FILE',
  'GRANT OPTION',
  'INDEX',
  'INSERT',
  'RELOAD',
  'SET USER',
  'SHUTDOWN',
  'SUPER',
  'SYSTEM_VARIABLES_ADMIN',
  'TRIGGER',
  'UPDATE',
])

/** What the session's user may do by SHOW GRANTS, and what it lacks for its purpose. */
export async function checkPrivileges(
  own: OwnQuery,
  server: ServerIdentity,
  route: DataSourceRoute,
  purpose: SessionPurpose,
): Promise<PrivilegeReport> {
  const [user] = await own<{ account: string; seen: string }>('select current_user() as account, user() as seen')
  const lines = (await own('show grants')).flatMap((row) => Object.values(row).filter((text) => text !== null))
  const grants = lines.flatMap((line) => parseGrant(line) ?? [])
  const account = user?.account ?? ''
  const missing = purpose === 'admin' ? missingForAdmin(grants, server) : missingForReader(grants, route.database)
  return {
    user: account,
    // A line of an account's own creation may hold the hash of its password.
    privileges: lines.map((line) => line.replace(/ IDENTIFIED .*$/, '')).slice(0, MAX_ENTRIES),
    missingPrivileges: missing === undefined ? [] : [`${missing} TO ${quoteAccount(account)}`],
    warnings: [
      ...(server.flavor === route.engine ? [] : [`the server is ${server.flavor}, and registered as ${route.engine}`]),
      ...(purpose === 'read_only' ? waysToWrite(grants, account) : []),
    ].slice(0, MAX_ENTRIES),
    seenAddress: user?.seen.slice(user.seen.lastIndexOf('@') + 1) ?? null,
    // There is a name of each server, and none of a cluster.
    systemIdentifier: null,
    replicaLagSeconds: server.flavor === 'tidb' ? null : await readLag(own),
  }
}

/** `'user'@'host'`, of an account as CURRENT_USER() names it. */
function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@')
  return `${quoteText(account.slice(0, at))}@${quoteText(account.slice(at + 1))}`
}

function missingForAdmin(grants: readonly Grant[], { flavor, version }: ServerIdentity): string | undefined {
  const [major, minor] = versionNumbers(version)
  const isMysql8 = flavor === 'mysql' && major >= 8
  // To keep the DEFINER of what it makes; renamed in 8.2.
  const definer = major > 8 || minor >= 2 ? 'SET_ANY_DEFINER' : 'SET_USER_ID'
  const wanted = [...ADMIN_PRIVILEGES, ...(isMysql8 ? [definer] : [])]
  const global = privilegesOn(grants, ['*.*'])
  const lacking = wanted.filter((name) => !global.has(name) && !(global.has('ALL PRIVILEGES') && !name.includes('_')))
  return lacking.length === 0 ? undefined : `GRANT ${lacking.join(', ')} ON *.*`
}

function missingForReader(grants: readonly Grant[], database: string): string | undefined {
  const name = mysql.escapeId(database, true)
  // A user who reads some databases only is meant to.
  const readsSomething = grants.some((grant) => grant.isWholeTable && hasAll(new Set(grant.privileges), ['SELECT']))
  if (database === '') return readsSomething ? undefined : `GRANT ${READER_PRIVILEGES.join(', ')} ON *.*`
  const held = privilegesOn(grants, ['*.*', `${name}.*`, `${name.replaceAll('_', '\\_')}.*`])
  const lacking = READER_PRIVILEGES.filter((privilege) => !hasAll(held, [privilege]))
  return lacking.length === 0 ? undefined : `GRANT ${lacking.join(', ')} ON ${name}.*`
}

function waysToWrite(grants: readonly Grant[], account: string): string[] {
  return grants.flatMap((grant) => {
    const writing = grant.privileges.filter((name) => WRITING.has(name))
    return writing.length === 0 ? [] : [`the user ${account} can write: ${writing.join(', ')} ON ${grant.on}`]
  })
}

function privilegesOn(grants: readonly Grant[], places: readonly string[]): Set<string> {
  const matching = grants.filter(({ on, isWholeTable }) => isWholeTable && places.includes(on))
  return new Set(matching.flatMap(({ privileges }) => privileges.map((name) => OTHER_NAMES[name] ?? name)))
}

function hasAll(held: ReadonlySet<string>, names: readonly string[]): boolean {
  return held.has('ALL PRIVILEGES') || names.every((name) => held.has(name))
}

/** Needs REPLICATION CLIENT; without it nothing is known. */
async function readLag(own: OwnQuery): Promise<number | null> {
  // MySQL has dropped the older name, older servers do not know the newer one.
  for (const statement of ['show replica status', 'show slave status']) {
    const rows = await own(statement).catch(() => undefined)
    if (rows === undefined) continue
    const seconds = rows[0]?.['Seconds_Behind_Source'] ?? rows[0]?.['Seconds_Behind_Master'] ?? null
    return seconds === null ? null : Number(seconds)
  }
  return null
}
