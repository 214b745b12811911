import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { newNumericId, type WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { open, rewrap, seal, type SealContext } from '../crypto/seal.ts'
import { sealedColumns } from '../store/sealed-values.ts'
import type { Store } from '../store/store.ts'
import { insertWorkspace } from '../store/workspaces.ts'
import { checkMasterKey, opensKeyCheck } from './master-key-check.ts'
import { resealStore } from './reseal-store.ts'

let postgres: EmbeddedPostgres
let store: Store
let workspaceId: WorkspaceId

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())
beforeEach(async () => {
  store = await postgres.freshStore()
  workspaceId = newNumericId<WorkspaceId>()
  await insertWorkspace(store.db, { id: workspaceId, name: 'main', gatewayDomain: 'main.test' })
})

const contextOf = (id: string): SealContext => ({ table: 'ssh_key', row: id, field: 'private_key' })

async function addSecret(masterKey: MasterKey, text: string): Promise<string> {
  const id = randomUUID()
  const sealed = seal(masterKey, new Secret(text), contextOf(id))
  await store.pool.query(
    'insert into ssh_key (id, workspace_id, public_key, private_key_sealed) values ($1, $2, $3, $4)',
    [id, workspaceId, 'ssh-ed25519 AAAA', sealed],
  )
  return id
}

async function readSecret(masterKey: MasterKey, id: string): Promise<string> {
  const { rows } = await store.pool.query<{ sealed: Buffer }>(
    'select private_key_sealed as sealed from ssh_key where id = $1',
    [id],
  )
  return open(masterKey, rows[0]!.sealed, contextOf(id)).reveal()
}

/** The key of a process in the middle of an exchange: it seals with the new one and opens both. */
function exchanging(before: MasterKey, next: MasterKey): MasterKey {
  const key = MasterKey.parse(before.export().reveal())
  key.exchangeFor(next)
  return key
}

describe('exchanging the master key', () => {
  it('leaves nothing in the store that the old key opens, and nothing that the new key does not', async () => {
    const before = MasterKey.generate()
    const next = MasterKey.generate()
    await checkMasterKey(store.db, before)
    const ids: string[] = []
    for (let index = 0; index < 450; index += 1) ids.push(await addSecret(before, `secret ${index}`))
    const progress: number[] = []
    const masterKey = exchanging(before, next)
    const result = await resealStore({ store, masterKey }, ({ resealed }) => progress.push(resealed))
    expect(result).toEqual({ resealed: 451, unreadable: 0 })
    expect(progress.length).toBeGreaterThan(2)
    for (const [index, id] of ids.entries()) expect(await readSecret(next, id)).toBe(`secret ${index}`)
    await expect(readSecret(before, ids[0]!)).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
    const { rows } = await store.pool.query<{ key_check: Buffer }>('select key_check from deployment')
    expect([opensKeyCheck(next, rows[0]!.key_check), opensKeyCheck(before, rows[0]!.key_check)]).toEqual([true, false])
  })

  it('goes on where it was stopped', async () => {
    const before = MasterKey.generate()
    const next = MasterKey.generate()
    const ids = [await addSecret(before, 'one'), await addSecret(next, 'two'), await addSecret(before, 'three')]
    expect(await resealStore({ store, masterKey: exchanging(before, next) })).toEqual({ resealed: 2, unreadable: 0 })
    expect(await resealStore({ store, masterKey: exchanging(before, next) })).toEqual({ resealed: 0, unreadable: 0 })
    expect(await Promise.all(ids.map((id) => readSecret(next, id)))).toEqual(['one', 'two', 'three'])
  })

  it('does not undo what others write meanwhile', async () => {
    const before = MasterKey.generate()
    const next = MasterKey.generate()
    const masterKey = exchanging(before, next)
    const ids: string[] = []
    for (let index = 0; index < 300; index += 1) ids.push(await addSecret(before, 'old'))
    const writer = (async () => {
      for (const id of ids.toReversed()) {
        const sealed = seal(masterKey, new Secret('new'), contextOf(id))
        await store.pool.query('update ssh_key set private_key_sealed = $2 where id = $1', [id, sealed])
      }
    })()
    await Promise.all([resealStore({ store, masterKey }), writer])
    expect(await Promise.all(ids.map((id) => readSecret(next, id)))).toEqual(ids.map(() => 'new'))
  })

  it('leaves alone, and counts, what no known key opens', async () => {
    const foreign = MasterKey.generate()
    const id = await addSecret(foreign, 'of another deployment')
    const masterKey = exchanging(MasterKey.generate(), MasterKey.generate())
    expect(await resealStore({ store, masterKey })).toEqual({ resealed: 0, unreadable: 1 })
    expect(await readSecret(foreign, id)).toBe('of another deployment')
  })

  it('knows every column whose values are sealed', async () => {
    const found = await sealedColumns(store.db)
    expect(found).toContainEqual({ table: 'deployment', column: 'key_check' })
    expect(found).toContainEqual({ table: 'data_source_secret', column: 'sealed' })
    expect(found).toContainEqual({ table: 'postgres_role_binding', column: 'login_key_sealed' })
    expect(found).toContainEqual({ table: 'signing_key', column: 'private_key_sealed' })
    expect(found).toContainEqual({ table: 'certificate', column: 'private_key_sealed' })
  })
})

describe('a master key that is being exchanged', () => {
  const context = contextOf('1')

  it('opens what both keys sealed and seals with the new one', () => {
    const before = MasterKey.generate()
    const next = MasterKey.generate()
    const key = exchanging(before, next)
    expect(open(key, seal(before, new Secret('a'), context), context).reveal()).toBe('a')
    expect(open(key, seal(next, new Secret('b'), context), context).reveal()).toBe('b')
    expect(open(next, seal(key, new Secret('c'), context), context).reveal()).toBe('c')
    key.forgetOthers()
    expect(() => open(key, seal(before, new Secret('a'), context), context)).toThrow()
  })

  it('can learn the next key before it seals with it', () => {
    const key = MasterKey.generate()
    const next = MasterKey.generate()
    key.alsoOpen(next)
    expect(open(key, seal(next, new Secret('early'), context), context).reveal()).toBe('early')
    expect(() => open(next, seal(key, new Secret('late'), context), context)).toThrow()
  })

  it('rewraps without opening: place and destination need not be known, and stay bound', () => {
    const before = MasterKey.generate()
    const next = MasterKey.generate()
    const rewrapped = rewrap(exchanging(before, next), seal(before, new Secret('a'), context))
    expect(rewrapped).toBeDefined()
    expect(open(next, rewrapped!, context).reveal()).toBe('a')
    expect(() => open(next, rewrapped!, contextOf('2'))).toThrow()
    expect(rewrap(next, seal(before, new Secret('a'), context))).toBeUndefined()
  })
})
