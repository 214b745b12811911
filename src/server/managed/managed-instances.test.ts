import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../test/support/embedded-postgres.ts'
import { openDataSourceSecrets } from '../../access/data-source-secrets.ts'
import { type InstanceId, newNumericId, newUuid, type PrincipalId, type WorkspaceId } from '../../base/ids.ts'
import { MasterKey } from '../../crypto/master-key.ts'
import { provisionCreatorRole } from '../../instances/provision-creator-role.ts'
import { currentUserName } from '../../postgres-server/os-user.ts'
import { claimSocketRoot } from '../../postgres-server/socket-folder.ts'
import { findAdminDataSource } from '../../store/data-sources.ts'
import { changeInstance, findInstanceById, insertInstance, type InstanceRow } from '../../store/instances.ts'
import { findManagedInstance, insertManagedInstance, setDesiredState } from '../../store/managed-instances.ts'
import { assignWorkspaceRole, insertUser } from '../../store/principals.ts'
import type { Store } from '../../store/store.ts'
import { insertWorkspace } from '../../store/workspaces.ts'
import { createLogger } from '../../telemetry/logger.ts'
import { testDialer } from '../../../test/support/test-dialer.ts'
import { ManagedInstances } from './managed-instances.ts'

const creatorName = 'creator@postern.test'
const nodeId = randomUUID()
const masterKey = MasterKey.generate()
const workspaceId = newNumericId<WorkspaceId>()
const creatorId = newNumericId<PrincipalId>()
let postgres: EmbeddedPostgres
let userName: string
let store: Store
let folder: string
let socketRoot: string
let node: ManagedInstances

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  userName = await currentUserName()
}, 60_000)
afterAll(() => postgres.stop())

beforeEach(async () => {
  store = await postgres.freshStore()
  await insertWorkspace(store.db, { id: workspaceId, name: 'main', gatewayDomain: 'postern.test' })
  await insertUser(store.db, { id: creatorId, displayName: 'Creator', email: creatorName, passwordHash: 'unused' })
  await assignWorkspaceRole(store.db, { workspaceId, principalId: creatorId, role: 'admin' })
  folder = mkdtempSync(join(tmpdir(), 'postern-managed-'))
  socketRoot = claimSocketRoot(folder)
  node = newNode()
}, 30_000)
afterEach(async () => {
  await node.close()
  rmSync(folder, { recursive: true, force: true })
  rmSync(socketRoot, { recursive: true, force: true })
}, 60_000)

function newNode(): ManagedInstances {
  const dialer = testDialer()
  return new ManagedInstances({
    store,
    masterKey,
    nodeId,
    socketRoot,
    logger: createLogger({ level: 'fatal', role: 'test' }),
    folderOf: (id) => join(folder, id),
    gatewayUser: undefined,
    gatewayUserName: userName,
    provisionCreatorRole: (id) => provisionCreatorRole({ store, masterKey, dialer }, id),
  })
}

async function newInstance(name: string): Promise<InstanceId> {
  const id = newUuid<InstanceId>()
  await store.db.transaction().execute(async (db) => {
    await insertInstance(db, {
      id,
      workspaceId,
      name,
      kind: 'managed',
      engine: 'postgres',
      state: 'STARTING',
      defaultDatabase: 'databricks_postgres',
      creatorId,
    })
    await insertManagedInstance(db, id, nodeId)
  })
  return id
}

async function untilState(id: InstanceId, state: InstanceRow['state'] | 'gone'): Promise<InstanceRow | undefined> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const instance = await findInstanceById(store.db, id)
    if ((instance?.state ?? 'gone') === state) return instance
    if (Date.now() > deadline) throw new Error(`${instance?.state} ${instance?.stateReason}, not ${state}`)
    await sleep(20)
  }
}

/** A session as the bound role, by peer: this process plays the gateway. */
async function sessionOf(id: InstanceId, user: string, database = 'databricks_postgres'): Promise<pg.Client> {
  const managed = await findManagedInstance(store.db, id)
  const client = new pg.Client({ host: managed!.socketPath!, port: 5432, user, database, password: 'none' })
  await client.connect()
  return client
}

test('a new managed instance becomes AVAILABLE with its creator role, its database and an admin data source', async () => {
  await node.start(0)
  const id = await newInstance('sample')
  const instance = await untilState(id, 'AVAILABLE')
  expect(instance).toMatchObject({ serverVersion: '18.4', stateReason: null })
  expect(instance!.systemIdentifier).toMatch(/^\d+$/)

  const source = await findAdminDataSource(store.db, id)
  expect(source).toMatchObject({ username: 'postern_admin', database: 'databricks_postgres', port: 5432 })
  const { password } = await openDataSourceSecrets({ masterKey }, source!)
  const admin = new pg.Client({
    host: source!.host,
    user: source!.username,
    database: source!.database,
    password: password!.reveal(),
  })
  await admin.connect()
  const { rows } = await admin.query(
    `select rolsuper, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = current_user`,
  )
  expect(rows).toEqual([{ rolsuper: false, rolcreaterole: true, rolcreatedb: true, rolreplication: false }])
  await admin.end()

  const creator = await sessionOf(id, creatorName)
  const membership = await creator.query(`select pg_has_role(current_user, 'databricks_superuser', 'usage') as it`)
  expect(membership.rows).toEqual([{ it: true }])
  await creator.query(
    'create schema shop; create table shop.book (title text); grant create on schema public to public',
  )
  await creator.end()
})

test('several instances start at the same time, each in a slot and a cluster of its own', async () => {
  const ids = [await newInstance('one'), await newInstance('two')]
  await node.start(0)
  const [one, two] = await Promise.all(ids.map((id) => untilState(id, 'AVAILABLE')))
  expect(one!.systemIdentifier).not.toBe(two!.systemIdentifier)
  const slots = await Promise.all(ids.map(async (id) => (await findManagedInstance(store.db, id))!.slot))
  expect(slots).toEqual([1, 2])
})

test('an instance is stopped, started with its data, and deleted with its files', async () => {
  await node.start(0)
  const id = await newInstance('sample')
  await untilState(id, 'AVAILABLE')
  const before = await sessionOf(id, creatorName)
  await before.query('create table kept (); create schema other')
  before.on('error', () => undefined)

  await setDesiredState(store.db, id, 'stopped')
  await untilState(id, 'STOPPED')
  await expect(sessionOf(id, creatorName)).rejects.toThrow()

  await setDesiredState(store.db, id, 'running')
  await untilState(id, 'AVAILABLE')
  const after = await sessionOf(id, creatorName)
  expect((await after.query(`select to_regclass('kept') is not null as it`)).rows).toEqual([{ it: true }])
  await after.end()

  await changeInstance(store.db, id, { state: 'DELETING' })
  await setDesiredState(store.db, id, 'deleted')
  await untilState(id, 'gone')
  expect(existsSync(join(folder, id))).toBe(false)
})

test('an instance whose server is killed comes back with its data', async () => {
  await node.start(0)
  const id = await newInstance('sample')
  await untilState(id, 'AVAILABLE')
  const session = await sessionOf(id, creatorName)
  session.on('error', () => undefined)
  await session.query('create table kept ()')
  const postmaster = Number(readFileSync(join(folder, id, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(postmaster, 'SIGKILL')
  await untilState(id, 'STARTING')
  await untilState(id, 'AVAILABLE')
  const again = await sessionOf(id, creatorName)
  expect((await again.query(`select to_regclass('kept') is not null as it`)).rows).toEqual([{ it: true }])
  await again.end()
})

test('an instance whose data is gone says so instead of coming back empty, and runs again once the data is back', async () => {
  await node.start(0)
  const id = await newInstance('sample')
  await untilState(id, 'AVAILABLE')
  await node.close()
  renameSync(join(folder, id), join(folder, 'elsewhere'))

  node = newNode()
  await node.start(5_000)
  const failed = await untilState(id, 'FAILED')
  expect(failed!.stateReason).toContain('Its data is not on this node')
  expect(existsSync(join(folder, id))).toBe(false)
  // Asked again, it says the same, once.
  await setDesiredState(store.db, id, 'running')
  await sleep(300)
  expect((await findInstanceById(store.db, id))!.version).toBe(failed!.version)

  renameSync(join(folder, 'elsewhere'), join(folder, id))
  await setDesiredState(store.db, id, 'running')
  await untilState(id, 'AVAILABLE')
}, 30_000)
