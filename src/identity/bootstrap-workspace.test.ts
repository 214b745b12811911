import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { systemClock } from '../base/clock.ts'
import type { Secret } from '../base/secret.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { verifyPassword } from '../crypto/password-hash.ts'
import { SigningKeys } from '../keys/signing-keys.ts'
import { readPasswordHash } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import { listWorkspaces } from '../store/workspaces.ts'
import { bootstrapWorkspace } from './bootstrap-workspace.ts'
import { findPrincipal } from './find-principal.ts'
import { readActor } from './read-actor.ts'

let postgres: EmbeddedPostgres
let store: Store
const masterKey = MasterKey.generate()
const first = {
  name: 'main',
  hosts: ['Postern.test'],
  gatewayDomain: 'postern.localhost',
  adminEmail: 'admin@postern.localhost',
}
const deps = () => ({ store, masterKey, clock: systemClock })

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  store = await postgres.freshStore()
})

it('makes one workspace with one administrator when many nodes start at once, and tells the password once', async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => bootstrapWorkspace(deps(), first)))
  const passwords = outcomes.flatMap(({ adminPassword }) => adminPassword ?? [])
  expect(new Set(outcomes.map(({ workspaceId }) => workspaceId)).size).toBe(1)
  expect(passwords).toHaveLength(1)
  expect(await listWorkspaces(store.db)).toMatchObject([{ name: 'main', hosts: ['postern.test'] }])
  expect(await verifyPassword(await readPasswordHash(store.db, first.adminEmail), passwords[0] as Secret)).toBe(true)
})

it('gives the administrator the workspace role admin, and the workspace keys that sign', async () => {
  const { workspaceId } = await bootstrapWorkspace(deps(), first)
  const { id } = await findPrincipal(deps(), workspaceId, { email: 'ADMIN@postern.localhost' })
  const reading = await readActor(deps(), { workspaceId, principalId: id, requestId: 'r', peer: 'p' })
  expect(reading).toMatchObject({ ok: true, actor: { workspaceRole: 'admin', kind: 'user', name: first.adminEmail } })
  const keys = await SigningKeys.load(store, masterKey, systemClock)
  expect(
    keys
      .list(workspaceId)
      .map(({ purpose, phase }) => `${purpose} ${phase}`)
      .toSorted(),
  ).toEqual(['access_token current', 'database_credential current'])
})

it('makes nothing when the password cannot be kept, so that the next start makes a new one', async () => {
  const failing = async () => {
    throw new Error('disk full')
  }
  await expect(bootstrapWorkspace(deps(), first, failing)).rejects.toThrow('disk full')
  expect(await listWorkspaces(store.db)).toEqual([])
  let kept: Secret | undefined
  const { adminPassword } = await bootstrapWorkspace(deps(), first, async (password) => void (kept = password))
  expect(kept).toBe(adminPassword)
})

it('adds hosts at a later start and takes none from another workspace', async () => {
  await bootstrapWorkspace(deps(), first)
  await bootstrapWorkspace(deps(), { ...first, name: 'other', gatewayDomain: 'other.localhost', hosts: ['other.test'] })
  await bootstrapWorkspace(deps(), { ...first, hosts: ['new.test', 'other.test'] })
  const found = Object.fromEntries((await listWorkspaces(store.db)).map(({ name, hosts }) => [name, hosts]))
  expect(found).toEqual({ main: ['new.test', 'postern.test'], other: ['other.test'] })
})

it('says so when another workspace has the gateway domain', async () => {
  await bootstrapWorkspace(deps(), first)
  await expect(bootstrapWorkspace(deps(), { ...first, name: 'other' })).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  })
})
