import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'

const ZERO = 'a\0b'
let postgres: EmbeddedPostgres
let fixture: HttpFixture
let headers: Record<string, string>
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  headers = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'dba')))
  const adminDataSource = { host: 'db.test', username: 'u', password: 'p' }
  const payload = { kind: 'external', name: 'there', skipTest: true, adminDataSource }
  const created = await fixture.app.inject({ method: 'POST', url: '/v1/instances', headers, payload })
  expect(created.statusCode).toBe(200)
})
afterAll(async () => {
  await fixture?.close()
  await postgres?.stop()
})

/** A name in a startup packet ends at a zero byte, and what follows would be read as further parameters. */
it.each<[method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object]>([
  ['GET', '/v1/instances/a%00b'],
  ['GET', '/v1/instances/there/databases/a%00b/tables'],
  ['GET', '/v1/instances/there/databases?filter=a%00b'],
  ['GET', '/v1/catalog:search?query=a%00b'],
  ['GET', '/v1/sqlExecutions?instance=a%00b'],
  ['GET', '/v1/instances?label=a:b%00b'],
  ['GET', '/v1/instances?environment=a%00b'],
  ['POST', '/v1/instances/there/sql:execute', { statement: 'select 1', database: ZERO, source: 'admin' }],
  ['POST', '/v1/instances/there/sql:execute', { statement: 'select 1', role: ZERO, source: 'self' }],
  ['POST', '/v1/instances/there/sql:execute', { statement: 'select 1', dataSourceId: ZERO }],
  ['POST', '/v1/instances/there:sync', { databases: [ZERO] }],
  ['PATCH', '/v1/instances/there', { title: ZERO }],
  ['PATCH', '/v1/instances/there', { title: '\ud800' }],
  ['PATCH', '/v1/instances/there/dataSources/admin', { title: ZERO, skipTest: true }],
  ['POST', '/v1/sshKeys', { title: ZERO }],
])('a zero byte goes no further than the door: %s %s %j', async (method, url, payload) => {
  const answer = await fixture.app.inject({ method, url, headers, ...(payload && { payload }) })
  expect(answer.json()).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' })
})
