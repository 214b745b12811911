import { asPosternError } from '../../base/errors.ts'
import type { DatabaseSummary, DescribedColumn, DescribedSchema, DescribedTable } from '../catalog-shapes.ts'
import type { GrantNames, PrivilegeReport, SessionPurpose } from '../engine.ts'
import type { Cell } from '../query-events.ts'
import { quoteName } from './credentials.ts'
import type { SnowflakeDriver } from './driver.ts'

const OWN_TIMEOUT_MS = 60_000
/** Roles that inherit each other are followed this far. */
const MAX_ROLES = 50
const MAX_PRIVILEGES_SHOWN = 100

/** What lets a role change data or objects. */
const WRITES = /^(?:INSERT|UPDATE|DELETE|TRUNCATE|OWNERSHIP|MODIFY|WRITE|CREATE .*|ALL|MANAGE GRANTS)$/

/** Statements that give the role of a data source what it needs; the role and warehouse are to be filled in. */
export function snowflakeGrants(purpose: SessionPurpose, { username, database }: GrantNames): readonly string[] {
  const role = purpose === 'admin' ? 'POSTERN' : 'POSTERN_READ_ONLY'
  const name = quoteName(database === '' ? 'MY_DATABASE' : database)
  const reading = [
    `CREATE ROLE IF NOT EXISTS ${role}`,
    `GRANT USAGE ON WAREHOUSE MY_WAREHOUSE TO ROLE ${role}`,
    `GRANT USAGE ON DATABASE ${name} TO ROLE ${role}`,
    `GRANT USAGE ON ALL SCHEMAS IN DATABASE ${name} TO ROLE ${role}`,
    `GRANT USAGE ON FUTURE SCHEMAS IN DATABASE ${name} TO ROLE ${role}`,
    ...['TABLES', 'VIEWS'].flatMap((kind) => [
      `GRANT SELECT ON ALL ${kind} IN DATABASE ${name} TO ROLE ${role}`,
      `GRANT SELECT ON FUTURE ${kind} IN DATABASE ${name} TO ROLE ${role}`,
    ]),
  ]
  const writing = [
    `GRANT CREATE SCHEMA ON DATABASE ${name} TO ROLE ${role}`,
    `GRANT CREATE TABLE, CREATE VIEW ON ALL SCHEMAS IN DATABASE ${name} TO ROLE ${role}`,
    `GRANT INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN DATABASE ${name} TO ROLE ${role}`,
  ]
  const toUser = `GRANT ROLE ${role} TO USER ${quoteName(username.toUpperCase())}`
  return [...reading, ...(purpose === 'admin' ? writing : []), toUser]
}

/** What the role may do. A read-only one that can write is warned of: only the kind of its statements holds it to reading. */
export async function checkSnowflakePrivileges(
  driver: SnowflakeDriver,
  purpose: SessionPurpose,
  names: { readonly warehouse: string | undefined },
): Promise<PrivilegeReport> {
  const signal = AbortSignal.timeout(OWN_TIMEOUT_MS)
  const { user, role, account, address } = await driver.whoami(signal)
  const { privileges, isComplete } = await readPrivileges(driver, role, signal)
  const warnings: string[] = []
  const writes = privileges.filter(({ privilege }) => WRITES.test(privilege))
  if (purpose === 'read_only' && writes.length > 0) {
    const first = writes[0]
    warnings.push(
      `the role ${role} can write (${first?.privilege} on ${first?.on}): give the data source one that cannot`,
    )
  }
  if (!isComplete) warnings.push(`not all that the role ${role} may do could be read`)
  const uses = privileges.some(({ privilege, on }) => privilege === 'USAGE' && on.startsWith('WAREHOUSE '))
  const warehouse = quoteName(names.warehouse ?? 'MY_WAREHOUSE')
  const isMissing = isComplete && !uses && !privileges.some(({ on }) => on.startsWith('WAREHOUSE '))
  return {
    user,
    privileges: privileges.slice(0, MAX_PRIVILEGES_SHOWN).map(({ privilege, on }) => `${privilege} on ${on}`),
    missingPrivileges: isMissing ? [`GRANT USAGE ON WAREHOUSE ${warehouse} TO ROLE ${quoteName(role)}`] : [],
    warnings,
    seenAddress: address,
    systemIdentifier: account === '' ? null : account,
    replicaLagSeconds: null,
  }
}

interface Privilege {
  readonly privilege: string
  /** Kind and name of the object. */
  readonly on: string
}

async function readPrivileges(
  driver: SnowflakeDriver,
  role: string,
  signal: AbortSignal,
): Promise<{ readonly privileges: readonly Privilege[]; readonly isComplete: boolean }> {
  const privileges: Privilege[] = []
  const seen = new Set([role])
  let isComplete = role !== ''
  for (const name of seen) {
    if (name === '' || seen.size > MAX_ROLES) return { privileges, isComplete: false }
    try {
      for await (const grant of driver.readRecords(`SHOW GRANTS TO ROLE ${quoteName(name)}`, signal)) {
        const [privilege, kind, on] = ['privilege', 'granted_on', 'name'].map((key) => grant.get(key) ?? '')
        if (kind === 'ROLE' && privilege === 'USAGE') seen.add(on ?? '')
        else privileges.push({ privilege: privilege ?? '', on: `${kind} ${on}` })
      }
    } catch (thrown) {
      if (asPosternError(thrown).row.kind !== 'caller' && asPosternError(thrown).code !== 'UPSTREAM_FAILED')
        throw thrown
      isComplete = false
    }
  }
  return { privileges, isComplete }
}

/** Databases of the account itself: what others share with it is theirs, and left out. */
export async function listSnowflakeDatabases(driver: SnowflakeDriver): Promise<readonly DatabaseSummary[]> {
  const databases: DatabaseSummary[] = []
  for await (const row of driver.readRecords('SHOW DATABASES', AbortSignal.timeout(OWN_TIMEOUT_MS))) {
    const isShared = (row.get('origin') ?? '') !== '' || (row.get('kind') ?? 'STANDARD') !== 'STANDARD'
    const name = row.get('name')
    if (isShared || name === null || name === undefined) continue
    databases.push({ name, characterSet: 'UTF8', collation: null, sizeBytes: null })
  }
  return databases
}

/** Schemas of a database, one by one; tables are read as they are asked for. */
export async function* describeSnowflake(
  driver: SnowflakeDriver,
  database: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema> {
  const from = `${quoteName(database)}.INFORMATION_SCHEMA`
  const sql = `SELECT SCHEMA_NAME FROM ${from}.SCHEMATA WHERE SCHEMA_NAME <> 'INFORMATION_SCHEMA' ORDER BY SCHEMA_NAME`
  const schemas = await Array.fromAsync(driver.read(sql, [], signal))
  for (const [schema] of schemas) {
    if (schema === null || schema === undefined) continue
    yield { schema, tables: readTables(driver, from, schema, signal) }
  }
}

/** One row for each column, so that a schema of any size is read in one pass and in bounded memory. */
const tablesAndColumns = (from: string): string => `
  SELECT T.TABLE_NAME, T.TABLE_TYPE, T.ROW_COUNT, T.BYTES,
    CASE WHEN C.ORDINAL_POSITION = 1 THEN T.COMMENT END, CASE WHEN C.ORDINAL_POSITION = 1 THEN V.VIEW_DEFINITION END,
    C.COLUMN_NAME, C.DATA_TYPE, C.CHARACTER_MAXIMUM_LENGTH, C.NUMERIC_PRECISION, C.NUMERIC_SCALE, C.DATETIME_PRECISION,
    C.IS_NULLABLE, C.COLUMN_DEFAULT, C.COMMENT
  FROM ${from}.TABLES T
  LEFT JOIN ${from}.VIEWS V ON V.TABLE_SCHEMA = T.TABLE_SCHEMA AND V.TABLE_NAME = T.TABLE_NAME
  LEFT JOIN ${from}.COLUMNS C ON C.TABLE_SCHEMA = T.TABLE_SCHEMA AND C.TABLE_NAME = T.TABLE_NAME
  WHERE T.TABLE_SCHEMA = ?
  ORDER BY T.TABLE_NAME, C.ORDINAL_POSITION`

async function* readTables(
  driver: SnowflakeDriver,
  from: string,
  schema: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedTable> {
  let table: (DescribedTable & { columns: DescribedColumn[] }) | undefined
  for await (const row of driver.read(tablesAndColumns(from), [schema], signal)) {
    const [name = null] = row
    if (table === undefined || table.name !== name) {
      if (table !== undefined) yield table
      table = tableOf(row)
    }
    if (row[6] !== null && row[6] !== undefined) table.columns.push(columnOf(row))
  }
  if (table !== undefined) yield table
}

const KINDS: Readonly<Record<string, DescribedTable['kind']>> = {
  VIEW: 'view',
  'MATERIALIZED VIEW': 'materialized_view',
  'EXTERNAL TABLE': 'foreign_table',
}

function tableOf(row: readonly Cell[]): DescribedTable & { columns: DescribedColumn[] } {
  const [name, type, rowCount, bytes, comment, definition] = row
  return {
    name: name ?? '',
    kind: KINDS[type ?? ''] ?? 'table',
    rowEstimate: asNumber(rowCount),
    sizeBytes: asNumber(bytes),
    comment: comment ?? null,
    columns: [],
    // Snowflake has no indexes; its keys of standard tables are not enforced.
    indexes: [],
    definition: definition ?? null,
  }
}

function columnOf(row: readonly Cell[]): DescribedColumn {
  const [name, dataType, length, precision, scale, datetimePrecision, nullable, defaultValue, comment] = row.slice(6)
  const size =
    dataType === 'NUMBER' && precision ? `(${precision},${scale ?? '0'})` : sizeOf(length ?? datetimePrecision)
  return {
    name: name ?? '',
    type: `${dataType ?? ''}${size}`,
    nullable: nullable === 'YES',
    defaultValue: defaultValue ?? null,
    comment: comment ?? null,
  }
}

function sizeOf(size: Cell | undefined): string {
  return size === null || size === undefined ? '' : `(${size})`
}

function asNumber(text: Cell | undefined): number | null {
  return text === null || text === undefined ? null : Number(text)
}
