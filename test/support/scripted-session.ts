import { randomUUID } from 'node:crypto'
import type { InstanceId } from '../../src/base/ids.ts'
import type { DatabaseSummary, DescribedSchema, DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession } from '../../src/engines/engine.ts'
import type { QueryEvent, QueryOptions } from '../../src/engines/query-events.ts'
import { insertDataSource } from '../../src/store/data-sources.ts'
import { insertInstance } from '../../src/store/instances.ts'
import type { Store } from '../../src/store/store.ts'
import { newUuid, type WorkspaceId } from '../../src/base/ids.ts'

/** What a database that never was would answer. */
export interface SessionScript {
  readonly databases?: readonly string[] | (() => readonly string[])
  readonly describe?: (database: string, signal: AbortSignal) => AsyncIterable<DescribedSchema>
  readonly query?: (statement: string, options: QueryOptions) => AsyncIterable<QueryEvent>
  readonly lagSeconds?: number | null
  readonly onClose?: () => void
}

/** A session of an engine that answers by a script: for what no real server does on demand. */
export function scriptedSession(script: SessionScript): EngineSession {
  const { databases = [], lagSeconds = null } = script
  return {
    serverVersion: 'scripted',
    async ping() {},
    async checkPrivileges() {
      return {
        user: 'scripted',
        privileges: [],
        missingPrivileges: [],
        warnings: [],
        seenAddress: null,
        systemIdentifier: null,
        replicaLagSeconds: lagSeconds,
      }
    },
    async listDatabases() {
      return (typeof databases === 'function' ? databases() : databases).map(summary)
    },
    describe: (database, { signal }) => (script.describe ?? (() => schemasOf({})))(database, signal),
    query: (statement, options) => (script.query ?? nothing)(statement, options),
    async close() {
      script.onClose?.()
    },
  }
}

function summary(name: string): DatabaseSummary {
  return { name, characterSet: 'UTF8', collation: 'C', sizeBytes: 1024 }
}

/** Schemas with tables of these names. */
export async function* schemasOf(
  schemas: Readonly<Record<string, readonly string[]>>,
): AsyncGenerator<DescribedSchema> {
  for (const [schema, tables] of Object.entries(schemas)) yield { schema, tables: tables.map((name) => tableOf(name)) }
}

export function tableOf(name: string, change: Partial<DescribedTable> = {}): DescribedTable {
  return {
    name,
    kind: 'table',
    rowEstimate: 10,
    sizeBytes: 8192,
    comment: null,
    columns: [
      { name: 'id', type: 'bigint', nullable: false, defaultValue: null, comment: null },
      { name: `${name}_label`, type: 'text', nullable: true, defaultValue: `''::text`, comment: 'what it is called' },
    ],
    indexes: [{ name: `${name}_pkey`, columns: ['id'], unique: true, primary: true }],
    definition: null,
    ...change,
  }
}

async function* nothing(): AsyncGenerator<QueryEvent> {}

/** An external instance in the store with data sources of these types, which nobody could reach. */
export async function addScriptedInstance(
  store: Store,
  workspaceId: WorkspaceId,
  dataSources: readonly ('admin' | 'read_only')[] = ['admin'],
): Promise<{ id: InstanceId; name: string }> {
  const id = newUuid<InstanceId>()
  const name = `i${randomUUID().slice(0, 8)}`
  await insertInstance(store.db, {
    id,
    workspaceId,
    name,
    kind: 'external',
    engine: 'postgres',
    state: 'AVAILABLE',
    defaultDatabase: 'app',
    creatorId: null,
  })
  for (const [index, type] of dataSources.entries()) {
    await insertDataSource(store.db, {
      id: newUuid(),
      instanceId: id,
      type,
      name: type === 'admin' ? 'admin' : `reader-${index}`,
      title: '',
      host: 'db.example.test',
      port: 5432,
      database: 'app',
      username: type,
      loginMethod: 'password',
      tlsMode: 'verify-full',
      tlsCa: null,
      tlsClientCertificate: null,
      secretReferences: {},
      tlsFiles: {},
      ssh: [],
      fields: {},
      extraParameters: {},
      tested: true,
    })
  }
  return { id, name }
}
