import { requireInstance } from '../access/find-instance.ts'
import { authorize, mayDo } from '../access/policy.ts'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import {
  findCatalogDatabase,
  findCatalogTable,
  listCatalogDatabases,
  listCatalogSchemas,
  listCatalogTables,
  listInstancesWithRole,
  searchCatalog,
  type CatalogDatabaseRow,
  type CatalogFind,
  type CatalogFindPosition,
  type CatalogPage,
  type CatalogSchemaRow,
  type CatalogTableRow,
  type CatalogTableSummary,
} from '../store/catalog-reads.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'

export type { CatalogDatabaseRow, CatalogFind, CatalogSchemaRow, CatalogTableRow, CatalogTableSummary }

interface ReadDependencies {
  readonly store: Store
}

/** Databases of an instance in the order of their names. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function readDatabases(
  deps: ReadDependencies,
  actor: Actor,
  instanceName: string,
  page: CatalogPage<string>,
): Promise<CatalogDatabaseRow[]> {
  const instance = await requireReadable(deps, actor, instanceName)
  return listCatalogDatabases(deps.store.db, instance.id, page)
}

/** One database. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | DATABASE_NOT_FOUND */
async function readDatabase(
  deps: ReadDependencies,
  actor: Actor,
  instanceName: string,
  database: string,
): Promise<CatalogDatabaseRow> {
  const instance = await requireReadable(deps, actor, instanceName)
  const found = await findCatalogDatabase(deps.store.db, instance.id, database)
  if (found) return found
  throw new PosternError(
    'DATABASE_NOT_FOUND',
    `The catalogue of instance '${instanceName}' has no database '${database}'`,
    { hint: 'If it is new, have the catalogue read again (sync).' },
  )
}

/** Schemas of a database in the order of their names. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | DATABASE_NOT_FOUND */
export async function readSchemas(
  deps: ReadDependencies,
  actor: Actor,
  instanceName: string,
  database: string,
  page: CatalogPage<string>,
): Promise<CatalogSchemaRow[]> {
  const { id } = await readDatabase(deps, actor, instanceName, database)
  return listCatalogSchemas(deps.store.db, id, page)
}

/** Tables and views of a database, or of one of its schemas. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | DATABASE_NOT_FOUND */
export async function readTables(
  deps: ReadDependencies,
  actor: Actor,
  instanceName: string,
  database: string,
  schema: string | undefined,
  page: CatalogPage<{ readonly schema: string; readonly name: string }>,
): Promise<CatalogTableSummary[]> {
  const { id } = await readDatabase(deps, actor, instanceName, database)
  return listCatalogTables(deps.store.db, id, schema, page)
}

/** One table with its columns and indexes. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | DATABASE_NOT_FOUND | NOT_FOUND */
export async function readTable(
  deps: ReadDependencies,
  actor: Actor,
  instanceName: string,
  database: string,
  table: { readonly schema: string; readonly name: string },
): Promise<CatalogTableRow> {
  const { id } = await readDatabase(deps, actor, instanceName, database)
  const found = await findCatalogTable(deps.store.db, id, table.schema, table.name)
  if (found) return found
  const name = table.schema === '' ? table.name : `${table.schema}.${table.name}`
  throw new PosternError('NOT_FOUND', `The catalogue of database '${database}' has no table '${name}'`, {
    hint: `${table.schema === '' ? 'Name it with its schema (SCHEMA.TABLE). ' : ''}If it is new, have the catalogue read again (sync).`,
  })
}

/** Tables of the whole workspace by their name or that of a column, as far as the actor may see them. */
export async function searchTables(
  deps: ReadDependencies,
  actor: Actor,
  text: string,
  page: CatalogPage<CatalogFindPosition>,
): Promise<CatalogFind[]> {
  return searchCatalog(deps.store.db, actor.workspaceId, await readableInstances(deps, actor), text, page)
}

/** @returns undefined: all */
async function readableInstances(deps: ReadDependencies, actor: Actor): Promise<readonly InstanceId[] | undefined> {
  if (mayDo(actor, 'catalog.readAll')) return undefined
  authorize(actor, 'catalog.readOwn')
  return listInstancesWithRole(deps.store.pool, actor.workspaceId, actor.principalId)
}

/**
 * A Workspace Member reads the catalogue of the instances on which he has a Postgres role, himself or through a group: there he
 * could read most of it by SQL.
 */
async function requireReadable(deps: ReadDependencies, actor: Actor, instanceName: string): Promise<InstanceRow> {
  authorize(actor, 'catalog.readOwn')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  const readable = await readableInstances(deps, actor)
  if (readable === undefined || readable.includes(instance.id)) return instance
  throw new PosternError(
    'PERMISSION_DENIED',
    `'${actor.name}' has no Postgres role on instance '${instanceName}', so its catalogue is not shown`,
    { hint: 'Ask a Workspace Admin or DBA to bind a Postgres role there.' },
  )
}
