import { asPosternError } from '../../base/errors.ts'
import type { GrantNames, PrivilegeReport, SessionPurpose } from '../engine.ts'
import type { Cell } from '../query-events.ts'
import type { ClickHouseDriver } from './driver.ts'
import type { ServerFacts } from './introspect.ts'
import { quoteName } from './quote.ts'

const MAX_PRIVILEGES = 100

const NEEDED: Readonly<Record<SessionPurpose, string>> = {
  admin: 'SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE',
  read_only: 'SHOW, SELECT',
}

/** For servers with SQL-driven access control (20.4 and newer); older ones have their users in users.xml. */
export function grantStatements(purpose: SessionPurpose, { username, database }: GrantNames): readonly string[] {
  const on = database === '' ? '*.*' : `${quoteName(database)}.*`
  const user = quoteName(username)
  const grants = [`GRANT ${NEEDED[purpose]} ON ${on} TO ${user}`]
  // Both are privileges of the whole server.
  return purpose === 'admin' ? [...grants, `GRANT KILL QUERY ON *.* TO ${user}`] : grants
}

/** What the user may do, as far as this version tells. */
export async function checkPrivileges(
  driver: ClickHouseDriver,
  server: ServerFacts,
  purpose: SessionPurpose,
): Promise<PrivilegeReport> {
  const { username, database } = driver.route
  const granted = hasGrants(server.version) ? await readGrants(driver) : undefined
  const mayWrite = server.readonlyLevel === 0 && (granted === undefined || granted.some(writes))
  return {
    user: username,
    privileges: (granted ?? [`readonly = ${server.readonlyLevel}, as users.xml has it`]).slice(0, MAX_PRIVILEGES),
    missingPrivileges: missing(granted, server, purpose, { username, database }),
    warnings:
      purpose === 'read_only' && mayWrite
        ? [
            'The user of this read-only data source can write. Sessions of Postern are held to reading (readonly = 2); ' +
              'give the user the profile readonly, or SELECT alone, so that nobody else can write with it either.',
          ]
        : [],
    seenAddress: await readSeenAddress(driver),
    systemIdentifier: await first(driver, 'SELECT toString(serverUUID())'),
    replicaLagSeconds: await readLag(driver),
  }
}

function missing(
  granted: readonly string[] | undefined,
  server: ServerFacts,
  purpose: SessionPurpose,
  names: GrantNames,
): readonly string[] {
  if (purpose === 'admin' && server.readonlyLevel !== 0) {
    return [`ALTER USER ${quoteName(names.username)} SETTINGS readonly = 0`]
  }
  // What roles bring is not in the list.
  if (granted === undefined || granted.some((line) => !/^GRANT .* ON /i.test(line))) return []
  const verb = purpose === 'admin' ? /\b(ALL|CREATE)\b/i : /\b(ALL|SELECT)\b/i
  return granted.some((line) => verb.test(line)) ? [] : grantStatements(purpose, names)
}

function writes(grant: string): boolean {
  return /\b(ALL|INSERT|ALTER|CREATE|DROP|TRUNCATE)\b/i.test(grant.split(' ON ')[0] ?? '')
}

function hasGrants(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 4)
}

async function readGrants(driver: ClickHouseDriver): Promise<readonly string[]> {
  const rows = await driver.readRows('SHOW GRANTS')
  return rows.map(([grant]) => grant ?? '')
}

/** The query finds itself among those that run. */
async function readSeenAddress(driver: ClickHouseDriver): Promise<string | null> {
  const queryId = driver.nextQueryId()
  const statement = `SELECT toString(address) FROM system.processes WHERE query_id = '${queryId}'`
  const address = await first(driver, statement, queryId)
  return address === null ? null : address.replace(/^\[?::ffff:/, '').replace(/\]?(:\d+)?$/, '')
}

async function readLag(driver: ClickHouseDriver): Promise<number | null> {
  const lag = await first(driver, "SELECT if(count() = 0, '', toString(max(absolute_delay))) FROM system.replicas")
  return lag === null || lag === '' ? null : Number(lag)
}

/** Null where this version, or this user, has no such thing. */
async function first(driver: ClickHouseDriver, statement: string, queryId?: string): Promise<Cell> {
  try {
    const rows = await driver.readRows(statement, {}, queryId === undefined ? {} : { queryId })
    return rows[0]?.[0] ?? null
  } catch (thrown) {
    const { code } = asPosternError(thrown)
    if (code === 'UPSTREAM_FAILED' || code === 'UPSTREAM_PERMISSION') return null
    throw thrown
  }
}
