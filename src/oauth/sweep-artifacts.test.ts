import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { refresh, signIn } from '../../test/support/oauth-sign-in.ts'
import type { Clock } from '../base/clock.ts'
import { sweepOauthArtifacts } from './sweep-artifacts.ts'

const dayMs = 86_400_000
let postgres: EmbeddedPostgres
let fixture: HttpFixture
let offsetMs = 0
const clock: Clock = { now: () => new Date(Date.now() + offsetMs) }

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { clock })
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

const models = async () => {
  const { rows } = await fixture.deps.store.pool.query<{ model: string }>(
    'select distinct model from oauth_artifact order by model',
  )
  return rows.map(({ model }) => model)
}

it('forgets what expired and keeps what is alive: a used refresh token as long as its reuse would have to be noticed', async () => {
  const { refresh_token: used } = await signIn(fixture)
  const { refresh_token: alive } = (await refresh(fixture, 'postern', used)).json()
  expect(await models()).toEqual(['AuthorizationCode', 'Grant', 'RefreshToken', 'Session'])
  offsetMs = 13 * dayMs
  await sweepOauthArtifacts({ store: fixture.deps.store, clock })
  expect(await models()).toEqual(['Grant', 'RefreshToken'])
  await refresh(fixture, 'postern', used)
  expect((await refresh(fixture, 'postern', alive)).statusCode).toBe(400)
  offsetMs = 91 * dayMs
  await sweepOauthArtifacts({ store: fixture.deps.store, clock })
  expect(await models()).toEqual([])
})
