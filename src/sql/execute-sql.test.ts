import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { addScriptedInstance, scriptedSession } from '../../test/support/scripted-session.ts'
import type { EngineSession } from '../engines/engine.ts'
import { findInstanceById } from '../store/instances.ts'
import { executeSql } from './execute-sql.ts'

describe('statements that are asked for by the dozen', () => {
  let postgres: EmbeddedPostgres
  let fixture: HttpFixture
  let instanceName: string
  beforeAll(async () => {
    postgres = await startEmbeddedPostgres()
    fixture = await startHttpFixture(await postgres.freshStore())
    const { store } = fixture.deps
    const { id } = await addScriptedInstance(store, fixture.workspaceId, ['admin', 'read_only'])
    instanceName = (await findInstanceById(store.db, id))!.name
  })
  afterAll(async () => {
    await fixture?.close()
    await postgres?.stop()
  })

  it('open no more sessions than may run, not even to look for the best data source', async () => {
    let opened = 0
    const opening = Promise.withResolvers<EngineSession>()
    const deps = {
      ...fixture.deps,
      openSession: () => {
        opened += 1
        return opening.promise
      },
    }
    const { signal } = new AbortController()
    const attempts = Array.from({ length: 40 }, () =>
      executeSql(deps, fixture.admin, instanceName, { statement: 'select 1' }, signal),
    )
    const outcomes = Promise.allSettled(attempts)
    await Promise.any(
      attempts.map((attempt) =>
        attempt.then(
          () => undefined,
          () => undefined,
        ),
      ),
    )
    opening.resolve(scriptedSession({}))
    const refused = (await outcomes).filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(30)
    expect(refused[0]).toMatchObject({ reason: { code: 'RATE_LIMITED' } })
    // Each of the ten asks for the health and then opens its own.
    expect(opened).toBeLessThanOrEqual(20)
    for (const outcome of await outcomes) {
      if (outcome.status === 'fulfilled') for await (const _ of outcome.value.events);
    }
    expect(deps.sqlRunning.count).toBe(0)
  })
})
