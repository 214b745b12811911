import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import { addScriptedInstance, scriptedSession } from '../../test/support/scripted-session.ts'
import { PosternError } from '../base/errors.ts'
import type { OpenSession } from '../catalog/catalog-dependencies.ts'
import { findInstanceById, type InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import { healthyReadOnlySources } from './choose-read-only.ts'

let postgres: EmbeddedPostgres
let store: Store
let fixture: InstanceFixture
let instance: InstanceRow
/** Seconds of lag by the name of the data source; a text is the code that it fails with. */
let health: Record<string, number | null | 'UPSTREAM_UNREACHABLE'>
let opened: string[]
let now: Date

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  fixture = await createInstanceFixture(store)
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  const { id } = await addScriptedInstance(store, fixture.admin.workspaceId, [
    'admin',
    'read_only',
    'read_only',
    'read_only',
  ])
  instance = (await findInstanceById(store.db, id))!
  opened = []
  now = new Date()
})

const openSession: OpenSession = async (_instance, source, { purpose }) => {
  expect(purpose).toBe('read_only')
  opened.push(source.name)
  const found = health[source.name] ?? null
  if (typeof found === 'string') throw new PosternError(found, 'the database did not answer')
  return scriptedSession({ lagSeconds: found })
}
const choose = async (): Promise<string[]> =>
  (await healthyReadOnlySources({ store, clock: { now: () => now }, openSession }, instance)).map(({ name }) => name)

describe('of the read-only data sources of an instance', () => {
  it('the one with the least lag comes first, and one that fails not at all', async () => {
    health = { 'reader-1': 40, 'reader-2': 'UPSTREAM_UNREACHABLE', 'reader-3': 2 }
    expect(await choose()).toEqual(['reader-3', 'reader-1'])
  })

  it('of two with the same lag the heavier comes first', async () => {
    health = { 'reader-1': 0, 'reader-2': null, 'reader-3': 'UPSTREAM_UNREACHABLE' }
    await store.db
      .updateTable('data_source')
      .set({ weight: 7 })
      .where('instance_id', '=', instance.id)
      .where('name', '=', 'reader-2')
      .execute()
    expect(await choose()).toEqual(['reader-2', 'reader-1'])
  })

  it('what was found a moment ago is not asked again, and after a minute it is', async () => {
    health = { 'reader-1': 1, 'reader-2': 2, 'reader-3': 3 }
    await choose()
    health = { 'reader-1': 9, 'reader-2': 2, 'reader-3': 3 }
    expect(await choose()).toEqual(['reader-1', 'reader-2', 'reader-3'])
    expect(opened).toHaveLength(3)
    now = new Date(now.getTime() + 61_000)
    expect(await choose()).toEqual(['reader-2', 'reader-3', 'reader-1'])
  })

  it('those found bad a moment ago are asked again when no other is left', async () => {
    const bad = 'UPSTREAM_UNREACHABLE' as const
    health = { 'reader-1': bad, 'reader-2': bad, 'reader-3': bad }
    await expect(choose()).rejects.toMatchObject({ code: 'READ_ONLY_UNAVAILABLE' })
    expect(opened).toHaveLength(3)
    health = { 'reader-1': bad, 'reader-2': 5, 'reader-3': bad }
    expect(await choose()).toEqual(['reader-2'])
  })

  it('none is the admin data source, whatever happens', async () => {
    const { id } = await addScriptedInstance(store, fixture.admin.workspaceId, ['admin'])
    instance = (await findInstanceById(store.db, id))!
    await expect(choose()).rejects.toMatchObject({ code: 'READ_ONLY_UNAVAILABLE' })
    expect(opened).toEqual([])
  })
})
