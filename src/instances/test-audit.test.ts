import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import type { Store } from '../store/store.ts'
import { addDataSource, validateAddition, validateDataSourceUpdate } from './change-data-sources.ts'
import { createInstance, validateInstance } from './create-instance.ts'
import { testStored, testUnsaved } from './test-stored.ts'
import { updateInstance, validateUpdate } from './update-instance.ts'

/** Nothing listens there. */
const there = { host: '127.0.0.1', port: 1, username: 'u', password: 'p', tlsMode: 'disable' } as const
const elsewhere = { ...there, username: 'v' }
const instanceOf = (name: string, skipTest = false) =>
  ({ kind: 'external', engine: 'postgres', name, adminDataSource: there, skipTest }) as const

describe('whoever looks what answers inside the network by testing leaves a record each time', () => {
  let postgres: EmbeddedPostgres
  let store: Store
  let fixture: InstanceFixture
  beforeAll(async () => {
    postgres = await startEmbeddedPostgres()
    store = await postgres.freshStore()
    fixture = await createInstanceFixture(store)
    await createInstance(fixture.deps, fixture.admin, instanceOf('stored', true))
  })
  afterAll(() => postgres.stop())

  it.each<[string, (fixture: InstanceFixture) => Promise<unknown>]>([
    [
      'what is not stored',
      ({ deps, admin }) => testUnsaved(deps, admin, { engine: 'postgres', type: 'admin', dataSource: there }),
    ],
    ['an instance that is not made', ({ deps, admin }) => validateInstance(deps, admin, instanceOf('tried'))],
    ['an instance that cannot be made', ({ deps, admin }) => createInstance(deps, admin, instanceOf('failed'))],
    [
      'a change that is not made',
      ({ deps, admin }) => validateUpdate(deps, admin, 'stored', { adminDataSource: elsewhere }),
    ],
    [
      'a change that cannot be made',
      ({ deps, admin }) => updateInstance(deps, admin, 'stored', { adminDataSource: elsewhere }),
    ],
    ['a data source that is not added', ({ deps, admin }) => validateAddition(deps, admin, 'stored', there)],
    ['a data source that cannot be added', ({ deps, admin }) => addDataSource(deps, admin, 'stored', there)],
    [
      'an edit that is not made',
      ({ deps, admin }) => validateDataSourceUpdate(deps, admin, 'stored', 'admin', { password: 'q' }),
    ],
    [
      'a stored one as it would be',
      ({ deps, admin }) => testStored(deps, admin, 'stored', 'admin', { database: 'other' }),
    ],
  ])('of %s', async (_, attempt) => {
    const before = await tests()
    await attempt(fixture).catch(() => undefined)
    const after = await tests()
    expect(after).toHaveLength(before.length + 1)
    expect(after.at(-1)).toMatchObject({ actor_name: fixture.admin.name, detail: { host: '127.0.0.1', port: 1 } })
  })

  it('of a stored one, also when he leaves before its end', async () => {
    const leave = new AbortController()
    const before = await tests()
    const onStage = () => leave.abort()
    await expect(
      testStored(fixture.deps, fixture.admin, 'stored', 'admin', undefined, { signal: leave.signal, onStage }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    const after = await tests()
    expect(after).toHaveLength(before.length + 1)
    expect(after.at(-1)).toMatchObject({ outcome: 'failed', reason: 'CANCELLED' })
  })

  function tests() {
    return store.db
      .selectFrom('audit_event')
      .selectAll()
      .where('action', '=', 'instance.test')
      .orderBy('recorded_at')
      .execute()
  }
})
