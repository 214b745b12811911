import { asPosternError, PosternError } from '../../base/errors.ts'
import type { DescribedColumn, DescribedIndex, DescribedSchema, DescribedTable } from '../catalog-shapes.ts'
import type { GrantNames, PrivilegeReport, SessionPurpose } from '../engine.ts'
import type { SpannerDriver } from './driver.ts'
import { UNIMPLEMENTED } from './errors.ts'

/** Schemas of Spanner itself, in both dialects. */
const OWN_SCHEMAS = new Set(['information_schema', 'spanner_sys', 'pg_catalog'])
/** Their columns are read together: a table has at most 1,024. */
const TABLES_AT_A_TIME = 50

/** What each purpose needs, by the smallest predefined role that has it (cloud.google.com/spanner/docs/iam). */
const NEEDED: Readonly<Record<SessionPurpose, readonly { readonly permission: string; readonly role: string }[]>> = {
  admin: [
    { permission: 'spanner.databases.list', role: 'roles/spanner.databaseAdmin' },
    { permission: 'spanner.databases.select', role: 'roles/spanner.databaseAdmin' },
    { permission: 'spanner.databases.write', role: 'roles/spanner.databaseAdmin' },
    { permission: 'spanner.databases.updateDdl', role: 'roles/spanner.databaseAdmin' },
  ],
  read_only: [
    { permission: 'spanner.databases.list', role: 'roles/spanner.viewer' },
    { permission: 'spanner.databases.select', role: 'roles/spanner.databaseReader' },
  ],
}

const ROLE_TITLES: Readonly<Record<string, string>> = {
  'roles/spanner.databaseAdmin': 'Cloud Spanner Database Admin',
  'roles/spanner.databaseReader': 'Cloud Spanner Database Reader',
  'roles/spanner.viewer': 'Cloud Spanner Viewer',
}

const WRITES = ['spanner.databases.write', 'spanner.databases.updateDdl']

/** The roles that a purpose needs, as commands of Google's gcloud. */
export function spannerGrants(
  purpose: SessionPurpose,
  names: GrantNames,
  instance: { readonly projectId: string; readonly instanceId: string },
): readonly string[] {
  const roles = [...new Set(NEEDED[purpose].map(({ role }) => role))]
  return roles.map((role) => grantCommand(role, names.username, instance))
}

/** What the data source's identity may do on the instance, and by which commands it gets the rest. */
export async function checkSpannerPrivileges(
  driver: SpannerDriver,
  purpose: SessionPurpose,
  identity: string,
): Promise<PrivilegeReport> {
  const asked = [...new Set([...NEEDED[purpose].map(({ permission }) => permission), ...WRITES])]
  const answer = await driver.rest.try({
    method: 'POST',
    path: `${driver.instance.name}:testIamPermissions`,
    body: { permissions: asked },
    signal: AbortSignal.timeout(30_000),
  })
  const report = {
    user: identity,
    seenAddress: null,
    systemIdentifier: driver.instance.name,
    replicaLagSeconds: null,
  }
  if ('failed' in answer) {
    const reason = answer.failed.code === UNIMPLEMENTED ? 'this server has none' : 'it may not ask'
    const warning = `the permissions of ${identity} could not be read (${reason}); what is missing shows when it is used`
    return { ...report, privileges: [], missingPrivileges: [], warnings: [warning] }
  }
  const held: unknown[] = Array.isArray(answer.ok['permissions']) ? answer.ok['permissions'] : []
  const missing = NEEDED[purpose].filter(({ permission }) => !held.includes(permission))
  const roles = [...new Set(missing.map(({ role }) => role))]
  const canWrite = purpose === 'read_only' && WRITES.some((permission) => held.includes(permission))
  return {
    ...report,
    privileges: held.filter((permission): permission is string => typeof permission === 'string').slice(0, 100),
    missingPrivileges: roles.map((role) => grantCommand(role, identity, driver.instance)),
    warnings: canWrite ? [`${identity} may write: a read-only data source should only have Database Reader`] : [],
  }
}

/** UPSTREAM_PERMISSION with the role that is missing and the command that grants it; anything else as it is. */
export function namingMissingRole(
  thrown: unknown,
  driver: { readonly projectId: string; readonly instanceId: string },
  purpose: SessionPurpose,
  identity: string,
): PosternError {
  const error = asPosternError(thrown)
  if (error.code !== 'UPSTREAM_PERMISSION') return error
  const role = purpose === 'admin' ? 'roles/spanner.databaseAdmin' : 'roles/spanner.databaseReader'
  const text = `${identity} lacks a permission on the Spanner instance: the role ${ROLE_TITLES[role]} has it`
  return new PosternError('UPSTREAM_PERMISSION', text, {
    cause: error,
    hint: `Have an administrator of the project run: ${grantCommand(role, identity, driver)}`,
    detail: { role },
  })
}

function grantCommand(
  role: string,
  identity: string,
  { projectId, instanceId }: { readonly projectId: string; readonly instanceId: string },
): string {
  const member = `--member=serviceAccount:${identity} --role=${role}`
  return `gcloud spanner instances add-iam-policy-binding ${instanceId} --project=${projectId} ${member}`
}

/** Schemas of a database, one by one; tables are read as they are asked for. */
export async function* describeSpanner(
  driver: SpannerDriver,
  database: string,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema> {
  const sql = 'select schema_name from information_schema.schemata order by schema_name'
  // Read to its end first: a session does one thing at a time.
  const schemas = await Array.fromAsync(driver.read(database, sql, {}, signal))
  for (const [schema] of schemas) {
    if (schema === null || schema === undefined || OWN_SCHEMAS.has(schema.toLowerCase())) continue
    try {
      const tables = await readTableNames(driver, database, schema, signal)
      yield { schema, tables: readTables(driver, database, schema, tables, signal) }
    } catch (thrown) {
      if (signal.aborted) throw thrown
      yield { schema, problem: asPosternError(thrown) }
    }
  }
}

interface TableName {
  readonly name: string
  readonly isView: boolean
}

async function readTableNames(
  driver: SpannerDriver,
  database: string,
  schema: string,
  signal: AbortSignal,
): Promise<readonly TableName[]> {
  const sql =
    'select table_name, table_type from information_schema.tables where table_schema = @p1 order by table_name'
  const names: TableName[] = []
  for await (const [name, type] of driver.read(database, sql, { p1: schema }, signal)) {
    names.push({ name: name ?? '', isView: type === 'VIEW' })
  }
  return names
}

async function* readTables(
  driver: SpannerDriver,
  database: string,
  schema: string,
  tables: readonly TableName[],
  signal: AbortSignal,
): AsyncGenerator<DescribedTable> {
  for (let at = 0; at < tables.length; at += TABLES_AT_A_TIME) {
    const some = tables.slice(at, at + TABLES_AT_A_TIME)
    const range = { p1: schema, p2: some[0]?.name ?? '', p3: some.at(-1)?.name ?? '' }
    const read = (sql: string) => driver.read(database, sql, range, signal)
    const columns = await groupColumns(read(COLUMNS))
    const indexes = await groupIndexes(read(INDEXES))
    const definitions = new Map<string, string | null>()
    for await (const [name, text] of read(VIEWS)) definitions.set(name ?? '', text ?? null)
    for (const { name, isView } of some) {
      yield {
        name,
        kind: isView ? 'view' : 'table',
        rowEstimate: null,
        sizeBytes: null,
        comment: null,
        columns: columns.get(name) ?? [],
        indexes: indexes.get(name) ?? [],
        definition: definitions.get(name) ?? null,
      }
    }
  }
}

const IN_RANGE = 'table_schema = @p1 and table_name >= @p2 and table_name <= @p3'

const COLUMNS = `select table_name, column_name, spanner_type, is_nullable, column_default
  from information_schema.columns where ${IN_RANGE} order by table_name, ordinal_position`

const VIEWS = `select table_name, view_definition from information_schema.views where ${IN_RANGE}`

/** Columns that an index only stores have no place in its order. */
const INDEXES = `select c.table_name, c.index_name, c.column_name, i.index_type, i.is_unique
  from information_schema.index_columns c join information_schema.indexes i
    on i.table_schema = c.table_schema and i.table_name = c.table_name and i.index_name = c.index_name
  where c.table_schema = @p1 and c.table_name >= @p2 and c.table_name <= @p3 and c.ordinal_position is not null
  order by c.table_name, c.index_name, c.ordinal_position`

type Rows = AsyncIterable<readonly (string | null)[]>

async function groupColumns(rows: Rows): Promise<ReadonlyMap<string, readonly DescribedColumn[]>> {
  const columns = new Map<string, DescribedColumn[]>()
  for await (const [table, name, type, nullable, defaultValue] of rows) {
    const column = {
      name: name ?? '',
      type: type ?? '',
      nullable: nullable === 'YES',
      defaultValue: defaultValue ?? null,
      comment: null,
    }
    columns.set(table ?? '', [...(columns.get(table ?? '') ?? []), column])
  }
  return columns
}

async function groupIndexes(rows: Rows): Promise<ReadonlyMap<string, readonly DescribedIndex[]>> {
  const tables = new Map<string, Map<string, DescribedIndex & { columns: string[] }>>()
  for await (const [table, name, column, type, isUnique] of rows) {
    const indexes = tables.get(table ?? '') ?? new Map<string, DescribedIndex & { columns: string[] }>()
    tables.set(table ?? '', indexes)
    const primary = type === 'PRIMARY_KEY'
    const unique = primary || isUnique === 'true' || isUnique === 'YES'
    const index = indexes.get(name ?? '') ?? { name: name ?? '', columns: [], unique, primary }
    index.columns.push(column ?? '')
    indexes.set(index.name, index)
  }
  return new Map([...tables].map(([table, indexes]) => [table, [...indexes.values()]]))
}
