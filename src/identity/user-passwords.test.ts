import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import type { PrincipalId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { Actor } from './actor.ts'
import { createUser } from './create-user.ts'
import { SignInThrottle } from './sign-in-throttle.ts'
import { signInWithPassword } from './sign-in-with-password.ts'
import { updateUser } from './update-user.ts'
import { changeOwnPassword, createPasswordReset, redeemPasswordReset, setUserPassword } from './user-passwords.ts'

const email = 'ana@main.test'
const password = new Secret('correct horse battery')
const newPassword = new Secret('staple of another kind')

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let deps: HttpFixture['deps'] & { throttle: SignInThrottle }
let ana: Actor
let now: Date
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  now = new Date()
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { clock: { now: () => now } })
  deps = { ...fixture.deps, throttle: new SignInThrottle(async () => undefined) }
  const { id } = await createUser(deps, fixture.admin, { email, workspaceRole: 'member', password })
  ana = { ...fixture.admin, principalId: id, name: email, workspaceRole: 'member' }
  return () => fixture.close()
})

async function signsIn(secret: Secret, name = email): Promise<boolean> {
  const { workspaceId } = fixture
  const attempt = { workspaceId, email: name, password: secret, peer: '192.0.2.1', requestId: 'r' }
  return (await signInWithPassword(deps, attempt)).ok
}

const redeem = (secret: Secret, peer = '192.0.2.1') =>
  redeemPasswordReset(deps, { workspaceId: fixture.workspaceId, secret, newPassword, peer, requestId: 'r' })

const signedInPlaces = () => deps.store.db.selectFrom('oauth_artifact').select('id').execute()

async function beSignedIn(principalId: PrincipalId): Promise<void> {
  const payload = JSON.stringify({ accountId: principalId })
  const at = { workspace_id: fixture.workspaceId, model: 'Session', id: 'fixture', payload }
  const rest = { grant_id: null, user_code: null, uid: null, expires_at: null, consumed_at: null }
  await deps.store.db
    .insertInto('oauth_artifact')
    .values({ ...at, ...rest })
    .execute()
}

describe('a password', () => {
  it('is changed with the old one, and ends where its owner was signed in', async () => {
    await beSignedIn(ana.principalId)
    await changeOwnPassword(deps, ana, { oldPassword: password, newPassword })
    expect(await signsIn(password)).toBe(false)
    expect(await signsIn(newPassword)).toBe(true)
    expect(await signedInPlaces()).toEqual([])
  })

  it('is not changed without it, however often it is tried', async () => {
    const guess = () => changeOwnPassword(deps, ana, { oldPassword: new Secret('a guess'), newPassword })
    for (let tries = 0; tries < 10; tries += 1)
      await expect(guess()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(guess()).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('is set by an administrator, and is in no audit record', async () => {
    await setUserPassword(deps, fixture.admin, ana.principalId, newPassword)
    expect(await signsIn(newPassword)).toBe(true)
    const records = await deps.store.db.selectFrom('audit_event').selectAll().execute()
    expect(records.map(({ action }) => action)).toContain('user.setPassword')
    expect(JSON.stringify(records)).not.toContain(newPassword.reveal())
  })

  it.each(['short', 'aaaaaaaaaaaaaaaa', `${email} and more`, 'x'.repeat(1025)])('may not be %s', async (text) => {
    await expect(setUserPassword(deps, fixture.admin, ana.principalId, new Secret(text))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})

describe('a reset secret', () => {
  it('sets the password once, for one of those who present it at the same moment', async () => {
    const { secret } = await createPasswordReset(deps, fixture.admin, ana.principalId)
    expect(await signsIn(password)).toBe(true)
    const outcomes = await Promise.allSettled([redeem(secret), redeem(secret), redeem(secret)])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await signsIn(newPassword)).toBe(true)
    await expect(redeem(secret)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  it('is worthless after a day, after a newer one, and after a password was set', async () => {
    const reset = () => createPasswordReset(deps, fixture.admin, ana.principalId)
    const replaced = await reset()
    const expired = await reset()
    now = new Date(now.getTime() + 24 * 3_600_000)
    for (const { secret } of [replaced, expired]) {
      await expect(redeem(secret)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    }
    const overtaken = await reset()
    await setUserPassword(deps, fixture.admin, ana.principalId, password)
    await expect(redeem(overtaken.secret)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(await signsIn(password)).toBe(true)
  })

  it('opens nothing for a deactivated user', async () => {
    const { secret } = await createPasswordReset(deps, fixture.admin, ana.principalId)
    await updateUser(deps, fixture.admin, ana.principalId, { active: false })
    await expect(redeem(secret)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  it('is stored as a hash only', async () => {
    const { secret } = await createPasswordReset(deps, fixture.admin, ana.principalId)
    const rows = await deps.store.db.selectFrom('password_reset').selectAll().execute()
    expect(rows[0]?.secret_hash).toHaveLength(32)
    expect(rows[0]?.secret_hash.toString('latin1')).not.toContain(secret.reveal())
  })

  it('is guessed at ten times from an address, and then no more', async () => {
    const guess = (number: number) => redeem(new Secret(`postern_reset_${number}`))
    for (let tries = 0; tries < 10; tries += 1)
      await expect(guess(tries)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(guess(10)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })
})
