import { PosternError } from '../../base/errors.ts'
import type { ManageMode } from '../../contract/engines.ts'
import type { DatabaseSummary } from '../catalog-shapes.ts'
import type { OracleConnection } from './connection.ts'
import { DICTIONARY, quoteName, readNames, readRows } from './dictionary.ts'
import { oracleCode, translateOracleError } from './errors.ts'

/** What a data source leads to: a database of the old kind, the root of a container database, or one pluggable database. */
export interface OracleContainer {
  readonly kind: 'non-cdb' | 'cdb' | 'pdb'
  /** Of the database itself, or of the pluggable one. */
  readonly name: string
  readonly user: string
  /** Address that we come from, as the database sees it. */
  readonly seenAddress: string | null
}

const ROOT = 'CDB$ROOT'
const NOT_FOUND = new Set(['ORA-00942', 'ORA-01031'])

export async function readContainer(connection: OracleConnection): Promise<OracleContainer> {
  const who = await firstRow(connection, DICTIONARY.whoami)
  const [user, databaseName, seenAddress = null] = who
  const about = { user: user ?? '', seenAddress }
  const [containerName, cdbName] = await firstRow(connection, DICTIONARY.container)
  if (cdbName === null || cdbName === undefined) return { ...about, kind: 'non-cdb', name: databaseName ?? '' }
  if (containerName === ROOT) return { ...about, kind: 'cdb', name: cdbName }
  return { ...about, kind: 'pdb', name: containerName ?? '' }
}

/**
 * The databases of a data source by its manage mode. *Based on database*: a non-CDB is one; a CDB is one and so is every open
 * PDB, each with its service; a PDB is one. *Based on schema*: every schema that is not Oracle's own is one.
 *
 * @throws PosternError UPSTREAM_PERMISSION naming the privilege that is missing
 */
export async function listOracleDatabases(
  connection: OracleConnection,
  container: OracleContainer,
  mode: ManageMode,
): Promise<readonly DatabaseSummary[]> {
  const [characterSet = null] = await readNames(connection, DICTIONARY.characterSet)
  const common = { characterSet, collation: null, sizeBytes: null }
  if (mode === 'schema') {
    const schemas = await readNames(connection, DICTIONARY.schemas)
    return schemas.map((name) => ({ name, ...common }))
  }
  if (container.kind === 'pdb') return [{ name: container.name, ...common }]
  const { user } = container
  const [name = container.name] = await needing(connection, DICTIONARY.databaseName, 'SYS.V_$DATABASE', user)
  if (container.kind === 'non-cdb') return [{ name, ...common }]
  const services = await readServices(connection, user)
  const pdbs = await needing(connection, DICTIONARY.openPdbs, 'SYS.V_$PDBS', user)
  const reachable = pdbs.flatMap((pdb) => {
    const serviceName = services.get(pdb)
    // A PDB without a service is open and still cannot be reached.
    return serviceName === undefined ? [] : [{ name: pdb, ...common, characterSet: null, serviceName }]
  })
  return [{ name, ...common }, ...reachable]
}

/** For each PDB the service by which the listener knows it: its own if it has one, else the first by name. */
async function readServices(connection: OracleConnection, user: string): Promise<ReadonlyMap<string, string>> {
  const services = new Map<string, string>()
  const own = new Set<string>()
  try {
    for await (const [pdb = null, name = null, networkName = null] of readRows(connection, DICTIONARY.services)) {
      if (pdb === null || name === null || networkName === null || networkName === '') continue
      const isOwn = name.split('.', 1)[0]?.toUpperCase() === pdb.toUpperCase()
      if (services.has(pdb) && !(isOwn && !own.has(pdb))) continue
      services.set(pdb, networkName)
      if (isOwn) own.add(pdb)
    }
  } catch (thrown) {
    throw namingGrant(thrown, 'SYS.V_$SERVICES', user)
  }
  return services
}

async function needing(connection: OracleConnection, sql: string, view: string, user: string): Promise<string[]> {
  try {
    return await readNames(connection, sql)
  } catch (thrown) {
    throw namingGrant(thrown, view, user)
  }
}

function namingGrant(thrown: unknown, view: string, user: string): PosternError {
  const number = oracleCode(thrown)
  if (number === undefined || !NOT_FOUND.has(number)) return translateOracleError(thrown)
  return new PosternError('UPSTREAM_PERMISSION', `${user} may not read ${view} (${number})`, {
    cause: thrown,
    hint: `Have an administrator of the database run: ${grantSelect(view, user)}`,
    detail: { oracleCode: number, view },
  })
}

/** A view's underlying object: rights on `v$…` are given on `SYS.V_$…`. */
export function grantSelect(view: string, user: string): string {
  return `GRANT SELECT ON ${view} TO ${quoteName(user)}`
}

async function firstRow(connection: OracleConnection, sql: string): Promise<readonly (string | null)[]> {
  for await (const row of readRows(connection, sql)) return row
  throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not know the session that it opened')
}
