import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import type { Clock } from '../base/clock.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../base/ids.ts'
import { signJwt, type SigningKeyPair, verifyJwt } from '../crypto/jwt.ts'
import { MasterKey } from '../crypto/master-key.ts'
import type { Store } from '../store/store.ts'
import { insertWorkspace } from '../store/workspaces.ts'
import { ensureSigningKeys } from './ensure-signing-keys.ts'
import { checkMasterKey, hasMasterKey } from './master-key-check.ts'
import { rotateSigningKeys, type RotationActor } from './rotate-signing-keys.ts'
import { SigningKeys } from './signing-keys.ts'

const MINUTE_MS = 60_000
const masterKey = MasterKey.generate()

let postgres: EmbeddedPostgres
let store: Store
let now = new Date()
const clock: Clock = { now: () => now }
const pass = (minutes: number) => {
  now = new Date(now.getTime() + minutes * MINUTE_MS)
}

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())
beforeEach(async () => {
  store = await postgres.freshStore()
  now = new Date('2026-11-23T12:00:00Z')
})

async function newWorkspace(name = 'main'): Promise<WorkspaceId> {
  const id = newNumericId<WorkspaceId>()
  await store.db.transaction().execute(async (db) => {
    await insertWorkspace(db, { id, name, gatewayDomain: `${name}.test` })
    await ensureSigningKeys(db, masterKey, clock, id)
  })
  return id
}

const actor = (workspaceId: WorkspaceId): RotationActor => ({
  workspaceId,
  principalId: newNumericId<PrincipalId>(),
  name: 'admin@postern.test',
  requestId: 'r1',
  peer: '127.0.0.1',
})

const rotate = (workspaceId: WorkspaceId) => rotateSigningKeys({ store, masterKey, clock }, actor(workspaceId))
const load = () => SigningKeys.load(store, masterKey, clock)

function sign(pair: SigningKeyPair): string {
  const iat = now.getTime() / 1000
  return signJwt(pair, 'postern-db+jwt', { iss: 'i', sub: 's', aud: 'a', iat, exp: iat + 3600 })
}

function verify(keys: SigningKeys, token: string): string {
  const outcome = verifyJwt(token, 'postern-db+jwt', (kid) => keys.find(kid, 'database_credential')?.publicKey, now)
  return outcome.ok ? 'ok' : outcome.reason
}

describe('the signing keys of a workspace', () => {
  test('are there and sign from its first moment, one for each purpose', async () => {
    const workspace = await newWorkspace()
    const keys = await load()
    const access = keys.current(workspace, 'access_token')
    const credential = keys.current(workspace, 'database_credential')
    expect(access.kid).not.toBe(credential.kid)
    expect(keys.find(access.kid, 'access_token')).toEqual({ workspaceId: workspace, publicKey: access.publicKey })
    expect(keys.find(access.kid, 'database_credential')).toBeUndefined()
    expect(keys.find('unknown', 'access_token')).toBeUndefined()
    expect(keys.jwks(workspace, 'access_token')).toEqual({ keys: [access.publicJwk] })
    expect(verify(keys, sign(credential))).toBe('ok')
  })

  test('are made once when several nodes create them at the same time', async () => {
    const workspace = newNumericId<WorkspaceId>()
    await insertWorkspace(store.db, { id: workspace, name: 'w', gatewayDomain: 'w.test' })
    await Promise.all(
      Array.from({ length: 4 }, () =>
        store.db.transaction().execute((db) => ensureSigningKeys(db, masterKey, clock, workspace)),
      ),
    )
    expect((await load()).list(workspace)).toHaveLength(2)
  })

  test('are unknown to other workspaces, and missing ones are an error rather than another workspace’s', async () => {
    const [one, two] = [await newWorkspace('one'), await newWorkspace('two')]
    const keys = await load()
    const kid = keys.current(one, 'access_token').kid
    expect(keys.find(kid, 'access_token')?.workspaceId).toBe(one)
    expect(keys.jwks(two, 'access_token').keys.map((key) => key.kid)).not.toContain(kid)
    expect(() => keys.current(newNumericId<WorkspaceId>(), 'access_token')).toThrow('has no signing key')
  })
})

describe('a rotation', () => {
  test('publishes the next key ten minutes before it signs, and keeps the previous one for 65 minutes after', async () => {
    const workspace = await newWorkspace()
    const keys = await load()
    const old = keys.current(workspace, 'database_credential')
    const phases = () =>
      keys
        .list(workspace)
        .filter((key) => key.purpose === 'database_credential')
        .map((key) => key.phase)
    const published = () => keys.jwks(workspace, 'database_credential').keys.map((key) => key.kid)

    expect(await rotate(workspace)).toEqual(new Date(now.getTime() + 10 * MINUTE_MS))
    await keys.refresh()
    expect(phases()).toEqual(['current', 'next'])
    expect(published()).toHaveLength(2)
    expect(keys.current(workspace, 'database_credential')).toEqual(old)

    pass(9.99)
    const lastOfOld = sign(keys.current(workspace, 'database_credential'))
    expect(keys.current(workspace, 'database_credential').kid).toBe(old.kid)

    pass(0.01) // no refresh: the change-over needs no message
    const fresh = keys.current(workspace, 'database_credential')
    expect(fresh.kid).not.toBe(old.kid)
    expect(published()).toEqual([old.kid, fresh.kid])
    expect(phases()).toEqual(['previous', 'current'])
    expect(verify(keys, lastOfOld)).toBe('ok')

    pass(59.9)
    expect(verify(keys, lastOfOld)).toBe('ok')
    pass(5)
    expect(verify(keys, lastOfOld)).toBe('expired')
    pass(0.1)
    expect(verify(keys, lastOfOld)).toBe('unknown-key')
    expect(published()).toEqual([fresh.kid])
    expect(phases()).toEqual(['current'])
  })

  test('says so when one is pending already, and is possible again after the change-over', async () => {
    const workspace = await newWorkspace()
    await rotate(workspace)
    await expect(rotate(workspace)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('take over at 2026-11-23T12:10:00.000Z'),
    })
    pass(10)
    await rotate(workspace)
    expect(
      (await load())
        .list(workspace)
        .map((key) => key.phase)
        .toSorted(),
    ).toEqual(['current', 'current', 'next', 'next', 'previous', 'previous'])
  })

  test('happens once when two administrators ask at the same moment', async () => {
    const workspace = await newWorkspace()
    const outcomes = await Promise.allSettled([rotate(workspace), rotate(workspace), rotate(workspace)])
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
    expect((await load()).list(workspace)).toHaveLength(4)
  })

  test('deletes keys whose time is over', async () => {
    const workspace = await newWorkspace()
    await rotate(workspace)
    pass(76)
    await rotate(workspace)
    const { rows } = await store.pool.query('select count(*) from signing_key')
    expect(rows).toEqual([{ count: '4' }])
  })

  test('touches no other workspace', async () => {
    const [one, two] = [await newWorkspace('one'), await newWorkspace('two')]
    await rotate(one)
    const keys = await load()
    expect(keys.list(one)).toHaveLength(4)
    expect(keys.list(two).map((key) => [key.phase, key.verifyUntil])).toEqual([
      ['current', null],
      ['current', null],
    ])
  })

  test('leaves an audit record with the change', async () => {
    const workspace = await newWorkspace()
    await rotate(workspace)
    const { rows } = await store.pool.query(
      "select action, actor_name, peer from audit_event where action like 'key.%' order by recorded_at",
    )
    expect(rows).toEqual([
      { action: 'key.create', actor_name: null, peer: null },
      { action: 'key.rotate', actor_name: 'admin@postern.test', peer: '127.0.0.1' },
    ])
    await store.pool.query(
      "alter table audit_event add constraint no_rotation check (action <> 'key.rotate') not valid",
    )
    pass(10)
    await expect(rotate(workspace)).rejects.toThrow('no_rotation')
    expect((await load()).list(workspace)).toHaveLength(4)
  })

  test('reaches the other processes by itself', async () => {
    const workspace = await newWorkspace()
    const keys = await load()
    const errors: unknown[] = []
    const stop = await keys.follow((error) => errors.push(error))
    await rotate(workspace)
    await expect.poll(() => keys.list(workspace).length, { timeout: 5000 }).toBe(4)
    await stop()
    expect(errors).toEqual([])
  })
})

describe('a writer of the metadata store', () => {
  test.each(['purpose', 'workspace_id', 'id'] as const)(
    'cannot lend a key to another place by changing its %s',
    async (column) => {
      const [workspace, other] = [await newWorkspace('one'), await newWorkspace('two')]
      const key = (await load()).list(workspace).find((one) => one.purpose === 'access_token')!
      const value = { purpose: 'database_credential', workspace_id: other, id: '00000000-0000-4000-8000-000000000000' }[
        column
      ]
      await store.pool.query(`update signing_key set ${column} = $1 where id = $2`, [value, key.id])
      await expect(load()).rejects.toMatchObject({ code: 'SECRET_UNREADABLE', detail: { reason: 'wrong-place' } })
    },
  )

  test('cannot plant a key of his own, and the keys that are known stay in use', async () => {
    const workspace = await newWorkspace()
    const keys = await load()
    const kid = keys.current(workspace, 'access_token').kid
    await store.pool.query("update signing_key set private_key_sealed = 'planted'")
    await expect(keys.refresh()).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
    expect(keys.current(workspace, 'access_token').kid).toBe(kid)
  })
})

describe('the master key check', () => {
  test('accepts the first key and afterwards only that one', async () => {
    expect(await hasMasterKey(store.db)).toBe(false)
    const deployment = await checkMasterKey(store.db, masterKey)
    expect(await hasMasterKey(store.db)).toBe(true)
    expect(await checkMasterKey(store.db, masterKey)).toBe(deployment)
    await expect(checkMasterKey(store.db, MasterKey.generate())).rejects.toMatchObject({ code: 'MASTER_KEY_MISMATCH' })
  })

  test('has one winner when nodes with different keys start at once', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4 }, () => checkMasterKey(store.db, MasterKey.generate())),
    )
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
  })

  test('does not take another sealed value for the check value', async () => {
    await checkMasterKey(store.db, masterKey)
    await newWorkspace()
    await store.pool.query('update deployment set key_check = (select private_key_sealed from signing_key limit 1)')
    await expect(checkMasterKey(store.db, masterKey)).rejects.toMatchObject({ code: 'MASTER_KEY_MISMATCH' })
  })
})
