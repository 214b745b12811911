import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture } from '../../test/support/instance-fixture.ts'
import { addScriptedInstance, scriptedSession, tableOf } from '../../test/support/scripted-session.ts'
import type { DescribedTable } from '../engines/catalog-shapes.ts'
import { findSyncRun } from '../store/sync-runs.ts'
import { forgetCatalogue } from './forget-catalogue.ts'
import { searchTables } from './read-catalog.ts'
import { requestSync } from './request-sync.ts'
import { runNextSync } from './run-next-sync.ts'

const DATABASES = 1_000
const TABLES = 100
const COLUMNS = 10
/** All of it as objects would take several times as much. */
const GROWTH_MAX_BYTES = 100 * 1024 * 1024

let postgres: EmbeddedPostgres
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
})
afterAll(() => postgres.stop())

function* tables(database: string): Generator<DescribedTable> {
  for (let index = 0; index < TABLES; index += 1) {
    const columns = Array.from({ length: COLUMNS }, (_, column) => ({
      name: `column_${column}_of_table_${index}`,
      type: 'character varying(200)',
      nullable: true,
      defaultValue: null,
      comment: `column ${column} of table ${index} of ${database}, with words that take room`,
    }))
    yield tableOf(`table_${index}`, { columns })
  }
}

it('1,000 databases with 100 tables each are read in bounded memory', async () => {
  const store = await postgres.freshStore()
  const { deps, admin } = await createInstanceFixture(store)
  const { id } = await addScriptedInstance(store, admin.workspaceId)
  const databases = Array.from({ length: DATABASES }, (_, index) => `database_${String(index).padStart(4, '0')}`)
  let atStart = 0
  let mostBytes = 0
  const session = scriptedSession({
    databases,
    async *describe(database) {
      const { rss } = process.memoryUsage()
      // What a first hundred needs is the driver's and the compiler's.
      if (database === databases[100]) atStart = rss
      if (atStart > 0) mostBytes = Math.max(mostBytes, rss - atStart)
      yield { schema: 'public', tables: tables(database) }
    },
  })
  const runId = await requestSync(store.db, id)
  const logger = { error: () => undefined, info: () => undefined }
  await runNextSync(
    { store, logger, holder: randomUUID(), openSession: async () => session },
    new AbortController().signal,
  )
  expect(await findSyncRun(store.db, id, runId)).toMatchObject({
    state: 'DONE',
    databasesDone: DATABASES,
    tablesDone: DATABASES * TABLES,
    problemCount: 0,
  })
  expect(mostBytes).toBeLessThan(GROWTH_MAX_BYTES)
  const found = await searchTables(deps, admin, 'column_7_of_table_42', { limit: 1_001 })
  expect(found).toHaveLength(DATABASES)
  await forgetCatalogue({ store }, id)
  const { rows } = await store.pool.query('select count(*) from catalog_table')
  expect(rows).toEqual([{ count: '0' }])
}, 180_000)
