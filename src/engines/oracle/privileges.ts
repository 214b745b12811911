import type { ManageMode } from '../../contract/engines.ts'
import type { GrantNames, PrivilegeReport, SessionPurpose } from '../engine.ts'
import type { OracleConnection } from './connection.ts'
import { DICTIONARY, quoteName, readNames } from './dictionary.ts'
import { oracleCode, translateOracleError } from './errors.ts'
import { grantSelect, type OracleContainer } from './manage-mode.ts'

const MAX_PRIVILEGES_SHOWN = 100
/** Reading the dictionary of everybody, and the tables of everybody. */
const TO_READ = ['CREATE SESSION', 'SELECT ANY DICTIONARY', 'SELECT ANY TABLE']
const TO_CHANGE = [
  'INSERT ANY TABLE',
  'UPDATE ANY TABLE',
  'DELETE ANY TABLE',
  'CREATE ANY TABLE',
  'ALTER ANY TABLE',
  'DROP ANY TABLE',
  'CREATE ANY INDEX',
  'ALTER ANY INDEX',
  'DROP ANY INDEX',
  'CREATE ANY VIEW',
  'DROP ANY VIEW',
  'CREATE ANY SEQUENCE',
]
/** System privileges by which something can be changed. */
const CHANGES = /^(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|EXECUTE|GRANT|LOCK|TRUNCATE|BECOME|MERGE)\b(?! SESSION\b)/
const OBJECT_CHANGES = new Set(['INSERT', 'UPDATE', 'DELETE', 'ALTER', 'INDEX', 'EXECUTE', 'MERGE VIEW'])

/** Statements that give the user of a data source what it needs. A common user gets it in every container. */
export function oracleGrants(purpose: SessionPurpose, { username }: GrantNames): readonly string[] {
  const isCommon = /^C##/i.test(username)
  const user = quoteName(username.toUpperCase())
  const where = isCommon ? ' CONTAINER=ALL' : ''
  const privileges = purpose === 'admin' ? [...TO_READ, ...TO_CHANGE] : TO_READ
  const grants = privileges.map((privilege) => `GRANT ${privilege} TO ${user}${where}`)
  // Without it a common user sees in the root's views only what belongs to the root.
  return isCommon ? [...grants, `ALTER USER ${user} SET CONTAINER_DATA=ALL CONTAINER=CURRENT`] : grants
}

/** What the session's user may do, and the grants that are missing for its manage mode. */
export async function checkOraclePrivileges(
  connection: OracleConnection,
  container: OracleContainer,
  options: { readonly purpose: SessionPurpose; readonly manageMode: ManageMode; readonly isListenerProven: boolean },
): Promise<PrivilegeReport> {
  const { user } = container
  const privileges = await readNames(connection, DICTIONARY.privileges)
  const roles = await readNames(connection, DICTIONARY.roles)
  const objectPrivileges = await readNames(connection, DICTIONARY.objectGrants)
  const missing = await missingPrivileges(connection, container, options.manageMode, privileges)
  const writes = [
    ...privileges.filter((privilege) => CHANGES.test(privilege)),
    ...objectPrivileges.filter((privilege) => OBJECT_CHANGES.has(privilege)),
  ]
  const warnings: string[] = []
  if (options.purpose === 'read_only' && writes.length > 0) {
    warnings.push(`${user} can change something (${writes.slice(0, 5).join(', ')}): a read-only user should only read`)
  }
  if (!options.isListenerProven) {
    warnings.push(
      'nothing proves who the listener is: whoever stands in for it can try guesses of the password; use TLS',
    )
  }
  const shown = [
    ...privileges,
    ...roles.map((role) => `role ${role}`),
    ...objectPrivileges.map((one) => `${one} on objects`),
  ]
  return {
    user,
    privileges: shown.slice(0, MAX_PRIVILEGES_SHOWN),
    missingPrivileges: missing,
    warnings,
    seenAddress: container.seenAddress,
    systemIdentifier: await systemIdentifier(connection, container),
    replicaLagSeconds: null,
  }
}

async function missingPrivileges(
  connection: OracleConnection,
  { kind, user }: OracleContainer,
  manageMode: ManageMode,
  privileges: readonly string[],
): Promise<readonly string[]> {
  const needed: [sql: string, view: string][] = []
  if (manageMode === 'database' && kind !== 'pdb') needed.push([DICTIONARY.databaseName, 'SYS.V_$DATABASE'])
  if (manageMode === 'database' && kind === 'cdb') {
    needed.push([DICTIONARY.openPdbs, 'SYS.V_$PDBS'], [DICTIONARY.services, 'SYS.V_$SERVICES'])
  }
  const missing: string[] = []
  for (const [sql, view] of needed) {
    try {
      await readNames(connection, sql)
    } catch (thrown) {
      if (!['ORA-00942', 'ORA-01031'].includes(oracleCode(thrown) ?? '')) throw translateOracleError(thrown)
      missing.push(grantSelect(view, user))
    }
  }
  const readsAll = privileges.includes('SELECT ANY TABLE') || privileges.includes('READ ANY TABLE')
  return readsAll ? missing : [...missing, `GRANT SELECT ANY TABLE TO ${quoteName(user)}`]
}

async function systemIdentifier(connection: OracleConnection, { kind, name }: OracleContainer): Promise<string | null> {
  try {
    const [id] = await readNames(connection, DICTIONARY.databaseId)
    if (id === undefined) return null
    return kind === 'pdb' ? `${id}/${name}` : id
  } catch {
    return null // it may not be read; nothing depends on it
  }
}
