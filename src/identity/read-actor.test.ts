import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addGroup, addServicePrincipal, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../base/ids.ts'
import type { Store } from '../store/store.ts'
import type { WorkspaceRole } from './actor.ts'
import { findPrincipal } from './find-principal.ts'
import { readActor } from './read-actor.ts'

let postgres: EmbeddedPostgres
let store: Store
let fixture: HttpFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  fixture = await startHttpFixture(store)
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

const read = (principalId: PrincipalId, workspaceId = fixture.workspaceId) =>
  readActor({ store }, { workspaceId, principalId, requestId: 'r', peer: '192.0.2.1' })

async function assign(principalId: PrincipalId, role: WorkspaceRole): Promise<void> {
  await store.db
    .insertInto('workspace_assignment')
    .values({ workspace_id: fixture.workspaceId, principal_id: principalId, role })
    .execute()
}

it('takes the strongest role of its own and of groups at any depth', async () => {
  const { id } = await addServicePrincipal(fixture, 'member')
  const inner = await addGroup(store, 'inner', [id])
  const outer = await addGroup(store, 'outer', [inner])
  expect(await read(id)).toMatchObject({ actor: { workspaceRole: 'member' } })
  await assign(outer, 'dba')
  expect(await read(id)).toMatchObject({ actor: { workspaceRole: 'dba' } })
  await assign(inner, 'admin')
  expect(await read(id)).toMatchObject({ actor: { workspaceRole: 'admin' } })
})

it('ends where groups contain each other', async () => {
  const { id } = await addServicePrincipal(fixture)
  const one = await addGroup(store, 'one', [id])
  const two = await addGroup(store, 'two', [one])
  await store.db.insertInto('group_member').values({ group_id: one, member_id: two }).execute()
  await assign(two, 'admin')
  expect(await read(id)).toMatchObject({ actor: { workspaceRole: 'admin' } })
})

it('takes nothing from a deactivated group', async () => {
  const { id } = await addServicePrincipal(fixture)
  const group = await addGroup(store, 'gone', [id])
  await assign(group, 'admin')
  await store.db.updateTable('principal').set({ active: false }).where('id', '=', group).execute()
  expect(await read(id)).toMatchObject({ actor: { workspaceRole: 'member' } })
})

it('knows nobody who is deactivated, in another workspace only, or not there', async () => {
  const { id } = await addServicePrincipal(fixture)
  expect(await read(id, newNumericId<WorkspaceId>())).toEqual({ ok: false, reason: 'not-in-workspace' })
  expect(await read(newNumericId<PrincipalId>())).toEqual({ ok: false, reason: 'unknown' })
  await store.db.updateTable('principal').set({ active: false }).where('id', '=', id).execute()
  expect(await read(id)).toEqual({ ok: false, reason: 'inactive' })
})

it('finds a principal by id, e-mail, client id or group name, within the workspace only', async () => {
  const { id, clientId } = await addServicePrincipal(fixture)
  const group = await addGroup(store, 'analysts', [id])
  const find = (reference: Parameters<typeof findPrincipal>[2]) =>
    findPrincipal({ store }, fixture.workspaceId, reference)
  expect(await find({ id })).toEqual({ id, kind: 'service_principal', name: clientId, active: true })
  expect(await find({ clientId })).toMatchObject({ id })
  expect(await find({ email: fixture.adminEmail.toUpperCase() })).toMatchObject({ name: fixture.adminEmail })
  await expect(find({ group: 'analysts' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await assign(group, 'member')
  expect(await find({ group: 'analysts' })).toMatchObject({ id: group, kind: 'group' })
  await assign(await addGroup(store, 'analysts', []), 'member')
  await expect(find({ group: 'analysts' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
