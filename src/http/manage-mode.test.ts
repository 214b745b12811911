import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let headers: Record<string, string>
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  headers = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'dba')))
}, 60_000)
afterAll(async () => {
  await fixture?.close()
  await postgres?.stop()
})

async function send(method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object) {
  const answer = await fixture.app.inject({ method, url, headers, ...(payload && { payload }) })
  return { status: answer.statusCode, body: answer.json() }
}

const oracle = (name: string, more: object = {}) => ({
  kind: 'external',
  name,
  engine: 'oracle',
  skipTest: true,
  adminDataSource: {
    host: 'oracle.test',
    username: 'postern',
    password: 'p',
    fields: { serviceName: 'sales' },
  },
  ...more,
})

it('[D1-165] the manage mode is chosen when an Oracle instance is added, or later, and a change syncs anew', async () => {
  expect((await send('POST', '/v1/instances', oracle('by-default'))).body.manageMode).toBe('database')
  const added = await send('POST', '/v1/instances', oracle('by-schema', { manageMode: 'schema' }))
  expect(added.body.manageMode).toBe('schema')
  const { db } = fixture.deps.store
  await db.updateTable('sync_run').set({ state: 'CANCELLED', finished_at: new Date() }).execute()

  const changed = await send('PATCH', '/v1/instances/by-schema', { manageMode: 'database', skipTest: true })
  expect(changed.status).toBe(200)
  expect((await send('GET', '/v1/instances/by-schema')).body.manageMode).toBe('database')
  const { syncRuns } = (await send('GET', '/v1/instances/by-schema/syncRuns')).body
  expect(syncRuns.map(({ reason }: { reason: string }) => reason)).toContain('manage_mode')
})

it('of another engine it is refused: its databases are databases', async () => {
  const postgresInstance = oracle('no-oracle', { engine: 'postgres', manageMode: 'schema' })
  delete (postgresInstance.adminDataSource as { fields?: object }).fields
  const answer = await send('POST', '/v1/instances', postgresInstance)
  expect(answer.status).toBe(400)
  expect(answer.body.detail).toContain('manageMode')
})
