import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { Secret } from '../base/secret.ts'
import { createUser } from './create-user.ts'
import { SignInThrottle } from './sign-in-throttle.ts'
import { signInWithPassword } from './sign-in-with-password.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

function wrongSignIn(email: string) {
  const deps = { store: fixture.deps.store, throttle: new SignInThrottle(async () => undefined) }
  const password = new Secret('a wrong password')
  const { workspaceId } = fixture
  return signInWithPassword(deps, { workspaceId, email, password, peer: '192.0.2.1', requestId: 'r' })
}

/** Processor time of this process, all of its threads, for so many sign-ins: unlike time on the clock it is the work itself. */
async function workOf(email: string): Promise<number> {
  const before = process.cpuUsage()
  for (let round = 0; round < 8; round += 1) expect(await wrongSignIn(email)).toEqual({ ok: false })
  const { user, system } = process.cpuUsage(before)
  return user + system
}

it('an e-mail that nobody has, and one whose user has no password, cost as much work as a wrong password', async () => {
  await createUser(fixture.deps, fixture.admin, { email: 'sso@main.test', workspaceRole: 'member' })
  await workOf(fixture.adminEmail) // what is made at the first use is not counted
  const known = await workOf(fixture.adminEmail)
  // Without a hash to compute, the others would be a tenth.
  expect(await workOf('nobody@main.test')).toBeGreaterThan(known / 2)
  expect(await workOf('sso@main.test')).toBeGreaterThan(known / 2)
})
