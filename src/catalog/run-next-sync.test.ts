import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import {
  addScriptedInstance,
  schemasOf,
  scriptedSession,
  type SessionScript,
  tableOf,
} from '../../test/support/scripted-session.ts'
import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import { changeInstance, findInstanceById } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import { findSyncRun, type SyncRunRow } from '../store/sync-runs.ts'
import { readDatabases, readSchemas, readTable, readTables, searchTables } from './read-catalog.ts'
import { requestSync } from './request-sync.ts'
import { runNextSync, type SyncRunner } from './run-next-sync.ts'
import { scheduleDueSyncs } from './schedule-syncs.ts'
import { cancelSync } from './sync-runs.ts'

let postgres: EmbeddedPostgres
let store: Store
let fixture: InstanceFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  fixture = await createInstanceFixture(store)
})
afterAll(() => postgres.stop())

const quiet = { error: () => undefined, info: () => undefined }
const never = new AbortController().signal

function runner(script: SessionScript | (() => SessionScript)): SyncRunner {
  const session = () => scriptedSession(typeof script === 'function' ? script() : script)
  return { store, logger: quiet, holder: randomUUID(), openSession: async () => session() }
}
async function newInstance(): Promise<{ id: InstanceId; name: string }> {
  return addScriptedInstance(store, fixture.admin.workspaceId)
}
/** Reads the catalogue of an instance once, as a node does. */
async function sync(id: InstanceId, script: SessionScript, databases?: readonly string[]): Promise<SyncRunRow> {
  const runId = await requestSync(store.db, id, { reason: 'demand', databases })
  expect(await runNextSync(runner(script), never)).toBe(true)
  return (await findSyncRun(store.db, id, runId))!
}
const page = { limit: 100 }
const tablesOf = async (name: string, database: string): Promise<string[]> =>
  (await readTables(fixture.deps, fixture.admin, name, database, undefined, page)).map((t) => `${t.schema}.${t.name}`)

describe('a reading of the catalogue', () => {
  it('keeps databases, schemas and tables, with columns, indexes, views and estimates', async () => {
    const { id, name } = await newInstance()
    const view = tableOf('totals', { kind: 'view', definition: 'select 1', rowEstimate: null, indexes: [] })
    const run = await sync(id, {
      databases: ['app'],
      async *describe() {
        yield { schema: 'public', tables: [tableOf('orders'), view] }
        yield { schema: 'empty', tables: [] }
      },
    })
    expect(run).toMatchObject({ state: 'DONE', databasesTotal: 1, databasesDone: 1, schemasDone: 2, tablesDone: 2 })
    expect(await readDatabases(fixture.deps, fixture.admin, name, page)).toMatchObject([{ name: 'app', stale: false }])
    expect(await readSchemas(fixture.deps, fixture.admin, name, 'app', page)).toMatchObject([
      { name: 'empty', tableCount: 0 },
      { name: 'public', tableCount: 2 },
    ])
    const found = await readTable(fixture.deps, fixture.admin, name, 'app', { schema: 'public', name: 'orders' })
    expect(found).toMatchObject({
      rowEstimate: 10,
      columns: [{ name: 'id', type: 'bigint', nullable: false }, { name: 'orders_label' }],
      indexes: [{ name: 'orders_pkey', primary: true }],
    })
    expect(
      await readTable(fixture.deps, fixture.admin, name, 'app', { schema: 'public', name: 'totals' }),
    ).toMatchObject({
      kind: 'view',
      definition: 'select 1',
    })
    const finds = await searchTables(fixture.deps, fixture.admin, 'ORDERS_LAB', page)
    expect(finds).toMatchObject([{ instance: name, table: 'orders', matchedColumns: ['orders_label'] }])
  })

  it('tells of a schema that cannot be read, from its beginning or in the middle, and reads the others', async () => {
    const { id, name } = await newInstance()
    await sync(id, { databases: ['app'], describe: () => schemasOf({ half: ['old'], locked: ['known'] }) })
    const denied = new PosternError('UPSTREAM_PERMISSION', 'permission denied for schema')
    const run = await sync(id, {
      databases: ['app'],
      async *describe() {
        yield { schema: 'locked', problem: denied }
        yield {
          schema: 'half',
          tables: (async function* () {
            yield tableOf('new')
            throw denied
          })(),
        }
        yield { schema: 'open', tables: [tableOf('t')] }
      },
    })
    expect(run).toMatchObject({ state: 'DONE', problemCount: 2 })
    expect(run.problems).toMatchObject([
      { database: 'app', schema: 'locked', code: 'UPSTREAM_PERMISSION' },
      { database: 'app', schema: 'half' },
    ])
    expect(await tablesOf(name, 'app')).toEqual(['half.old', 'locked.known', 'open.t'])
    expect(await readSchemas(fixture.deps, fixture.admin, name, 'app', page)).toMatchObject([
      { name: 'half', stale: true },
      { name: 'locked', stale: true, problemCode: 'UPSTREAM_PERMISSION' },
      { name: 'open', stale: false },
    ])
  })

  it('removes what is gone: tables, schemas, databases', async () => {
    const { id, name } = await newInstance()
    const describeAll = () => schemasOf({ a: ['kept', 'gone'], b: ['t'] })
    await sync(id, { databases: ['one', 'two'], describe: describeAll })
    await sync(id, { databases: ['one'], describe: () => schemasOf({ a: ['kept'] }) })
    expect((await readDatabases(fixture.deps, fixture.admin, name, page)).map((row) => row.name)).toEqual(['one'])
    expect(await tablesOf(name, 'one')).toEqual(['a.kept'])
    const { rows } = await store.pool.query('select count(*) from catalog_table where name = $1', ['gone'])
    expect(rows[0]).toEqual({ count: '0' })
  })

  it('keeps what was known of a database that fails, as stale, and reads the next one', async () => {
    const { id, name } = await newInstance()
    await sync(id, { databases: ['bad', 'good'], describe: () => schemasOf({ s: ['t'] }) })
    const run = await sync(id, {
      databases: ['bad', 'good'],
      describe(database) {
        if (database === 'bad') throw new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the session')
        return schemasOf({ s: ['t', 'u'] })
      },
    })
    expect(run).toMatchObject({ state: 'DONE', databasesDone: 2, problemCount: 1 })
    expect(await readDatabases(fixture.deps, fixture.admin, name, page)).toMatchObject([
      { name: 'bad', stale: true, problemCode: 'UPSTREAM_UNREACHABLE' },
      { name: 'good', stale: false },
    ])
    expect(await tablesOf(name, 'bad')).toEqual(['s.t'])
    expect(await tablesOf(name, 'good')).toEqual(['s.t', 's.u'])
  })

  it('of chosen databases leaves the others alone, and tells of one that does not exist', async () => {
    const { id, name } = await newInstance()
    await sync(id, { databases: ['one', 'two'], describe: () => schemasOf({ s: ['t'] }) })
    const run = await sync(id, { databases: ['one', 'two'], describe: () => schemasOf({ s: ['new'] }) }, [
      'two',
      'three',
    ])
    expect(run).toMatchObject({ databasesTotal: 1, problems: [{ database: 'three', code: 'DATABASE_NOT_FOUND' }] })
    expect(await tablesOf(name, 'one')).toEqual(['s.t'])
    expect(await tablesOf(name, 'two')).toEqual(['s.new'])
  })

  it('stores names that hold what Postgres does not: zero bytes, half characters, one name twice', async () => {
    const { id, name } = await newInstance()
    const run = await sync(id, {
      databases: ['app'],
      async *describe() {
        yield { schema: 'o\0dd', tables: [tableOf('a\0b'), tableOf('\ud800'), tableOf('x'), tableOf('x')] }
      },
    })
    expect(run).toMatchObject({ state: 'DONE', problemCount: 0 })
    expect(await tablesOf(name, 'app')).toHaveLength(3)
  })

  it('fails with the reason when the databases cannot even be listed', async () => {
    const { id } = await newInstance()
    const failing: SessionScript = {
      databases() {
        throw new PosternError('UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege')
      },
    }
    expect(await sync(id, failing)).toMatchObject({ state: 'FAILED', failureCode: 'UPSTREAM_PERMISSION' })
  })
})

describe('beside other changes', () => {
  it('an edit that is made while a reading runs survives it, and the etag is the one of the edit', async () => {
    const { id } = await newInstance()
    const before = (await findInstanceById(store.db, id))!
    await sync(id, {
      databases: ['app'],
      async *describe() {
        await changeInstance(store.db, id, { nativeLoginEnabled: true, defaultDatabase: 'edited' })
        yield* schemasOf({ s: ['t'] })
      },
    })
    const after = (await findInstanceById(store.db, id))!
    expect(after).toMatchObject({ nativeLoginEnabled: true, defaultDatabase: 'edited' })
    expect(BigInt(after.version)).toBe(BigInt(before.version) + 1n)
  })

  it('whoever asks twice before it began is answered by one reading, of what either wanted', async () => {
    const { id } = await newInstance()
    const first = await requestSync(store.db, id, { reason: 'demand', databases: ['a'] })
    expect(await requestSync(store.db, id, { reason: 'demand', databases: ['b', 'a'] })).toBe(first)
    expect((await findSyncRun(store.db, id, first))?.databases).toEqual(['a', 'b'])
    expect(await requestSync(store.db, id, { reason: 'manage_mode' })).toBe(first)
    expect((await findSyncRun(store.db, id, first))?.databases).toBeNull()
    expect(await runNextSync(runner({}), never)).toBe(true)
    expect(await runNextSync(runner({}), never)).toBe(false)
  })

  it('two nodes never read one instance at a time; what is asked for meanwhile comes after', async () => {
    const { id } = await newInstance()
    await requestSync(store.db, id)
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow = runNextSync(
      runner({
        databases: ['app'],
        async *describe() {
          begun.resolve()
          await gate.promise
          yield* schemasOf({ s: ['t'] })
        },
      }),
      never,
    )
    await begun.promise
    const next = await requestSync(store.db, id, { reason: 'demand' })
    expect(await runNextSync(runner({}), never)).toBe(false)
    gate.resolve()
    await slow
    expect(await runNextSync(runner({ databases: ['app'] }), never)).toBe(true)
    expect((await findSyncRun(store.db, id, next))?.state).toBe('DONE')
  })

  it('a node that died is replaced, goes on behind what was read, and writes nothing when it comes back', async () => {
    const { id, name } = await newInstance()
    const runId = await requestSync(store.db, id)
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const described: string[] = []
    const frozen = runNextSync(
      runner({
        databases: ['a', 'b'],
        async *describe(database) {
          described.push(`first ${database}`)
          if (database === 'b') {
            begun.resolve()
            await gate.promise
          }
          yield* schemasOf({ s: [`from_first_${database}`] })
        },
      }),
      never,
    )
    await begun.promise
    // As long after its last heartbeat as a lease lasts.
    await store.pool.query(`update sync_run set lease_until = now() - interval '1 second' where id = $1`, [runId])
    await runNextSync(
      runner({
        databases: ['a', 'b'],
        describe(database) {
          described.push(`second ${database}`)
          return schemasOf({ s: [`from_second_${database}`] })
        },
      }),
      never,
    )
    gate.resolve()
    await frozen
    expect(described).toEqual(['first a', 'first b', 'second b'])
    expect(await findSyncRun(store.db, id, runId)).toMatchObject({ state: 'DONE', attempts: 2, databasesDone: 2 })
    expect(await tablesOf(name, 'a')).toEqual(['s.from_first_a'])
    expect(await tablesOf(name, 'b')).toEqual(['s.from_second_b'])
  })

  it('a node that ends lets go of its reading, and the next takes it up at once', async () => {
    const { id } = await newInstance()
    const runId = await requestSync(store.db, id)
    const stop = new AbortController()
    await runNextSync(
      runner({
        databases: ['a'],
        async *describe() {
          stop.abort()
          yield* schemasOf({ s: ['t'] })
        },
      }),
      stop.signal,
    )
    expect((await findSyncRun(store.db, id, runId))?.state).toBe('RUNNING')
    expect(await runNextSync(runner({ databases: ['a'] }), never)).toBe(true)
    expect(await findSyncRun(store.db, id, runId)).toMatchObject({ state: 'DONE' })
  })

  it('is cancelled where it waits, and where it runs', async () => {
    const { id, name } = await newInstance()
    const waiting = await requestSync(store.db, id)
    expect(await cancelSync(fixture.deps, fixture.admin, name, waiting)).toMatchObject({ state: 'CANCELLED' })
    expect(await runNextSync(runner({}), never)).toBe(false)
    const running = await requestSync(store.db, id)
    await runNextSync(
      runner({
        databases: ['a', 'b'],
        async *describe(_database, signal) {
          yield { schema: 'read', tables: [tableOf('t')] }
          await cancelSync(fixture.deps, fixture.admin, name, running)
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
          throw new PosternError('CANCELLED', 'cancelled')
        },
      }),
      never,
    )
    expect(await findSyncRun(store.db, id, running)).toMatchObject({ state: 'CANCELLED', databasesDone: 0 })
    expect(await tablesOf(name, 'a')).toEqual(['read.t'])
  })

  it('an instance that is removed meanwhile is no failure', async () => {
    const { id } = await newInstance()
    await requestSync(store.db, id)
    await runNextSync(
      runner({
        databases: ['a'],
        async *describe() {
          await store.db.deleteFrom('instance').where('id', '=', id).execute()
          yield* schemasOf({ s: ['t'] })
        },
      }),
      never,
    )
    expect(await runNextSync(runner({}), never)).toBe(false)
  })
})

describe('on a schedule', () => {
  it('asks for instances whose interval has passed, once, and for no other', async () => {
    const due = await newInstance()
    const idle = await newInstance()
    await store.db.updateTable('instance').set({ sync_interval_seconds: 60 }).where('id', '=', due.id).execute()
    await scheduleDueSyncs({ store })
    await scheduleDueSyncs({ store })
    const runs = async (id: InstanceId) =>
      store.db.selectFrom('sync_run').select(['id', 'reason', 'state']).where('instance_id', '=', id).execute()
    expect(await runs(due.id)).toMatchObject([{ reason: 'schedule', state: 'QUEUED' }])
    expect(await runs(idle.id)).toEqual([])
    await runNextSync(runner({}), never)
    await scheduleDueSyncs({ store })
    expect(await runs(due.id)).toHaveLength(1)
    await store.pool.query(`update sync_run set created_at = now() - interval '61 seconds' where instance_id = $1`, [
      due.id,
    ])
    await scheduleDueSyncs({ store })
    expect(await runs(due.id)).toHaveLength(2)
    await runNextSync(runner({}), never)
  })
})

it('an instance is not read before it is AVAILABLE', async () => {
  const { id } = await newInstance()
  await changeInstance(store.db, id, { state: 'STARTING' })
  await requestSync(store.db, id)
  expect(await runNextSync(runner({}), never)).toBe(false)
  await changeInstance(store.db, id, { state: 'AVAILABLE' })
  expect(await runNextSync(runner({}), never)).toBe(true)
})

it('a member reads the catalogue of instances on which he has a Postgres role, and of no other', async () => {
  const { id, name } = await newInstance()
  await sync(id, { databases: ['app'], describe: () => schemasOf({ s: ['members_only'] }) })
  const { id: principalId, clientId } = await fixture.addPrincipal()
  const member = {
    ...fixture.admin,
    principalId,
    kind: 'service_principal',
    name: clientId,
    workspaceRole: 'member',
  } as const
  await expect(readDatabases(fixture.deps, member, name, page)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(await searchTables(fixture.deps, member, 'members_only', page)).toEqual([])
  await store.db
    .insertInto('postgres_role_binding')
    .values({
      id: randomUUID() as never,
      instance_id: id,
      principal_id: principalId,
      role_name: clientId,
      role_oid: '16384',
      system_identifier: '1',
      login_key_sealed: null,
      created_by: null,
    })
    .execute()
  expect(await readDatabases(fixture.deps, member, name, page)).toHaveLength(1)
  expect(await searchTables(fixture.deps, member, 'members_only', page)).toHaveLength(1)
})
