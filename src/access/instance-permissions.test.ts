import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addGroup } from '../../test/support/http-app.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import { newNumericId, newUuid, type InstanceId, type PrincipalId, type WorkspaceId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { putInstancePermission } from '../store/instance-permissions.ts'
import { insertInstance } from '../store/instances.ts'
import { setPrincipalActive } from '../store/principals.ts'
import { readInstancePermission, requireInstancePermission } from './instance-permissions.ts'

let postgres: EmbeddedPostgres
let fixture: InstanceFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await createInstanceFixture(await postgres.freshStore())
})
afterAll(() => postgres.stop())

const permission = (actor: Actor, id: InstanceId) => readInstancePermission(fixture.deps.store.db, actor, id)

async function addMember(): Promise<Actor> {
  const { id, clientId } = await fixture.addPrincipal()
  return { ...fixture.admin, principalId: id, kind: 'service_principal', name: clientId, workspaceRole: 'member' }
}

async function addInstance(creatorId: PrincipalId | null = null, workspaceId = fixture.admin.workspaceId) {
  const instance = { id: newUuid<InstanceId>(), name: `i-${newUuid()}`, workspaceId, creatorId }
  await insertInstance(fixture.deps.store.db, {
    ...instance,
    kind: 'managed',
    engine: 'postgres',
    state: 'AVAILABLE',
    defaultDatabase: 'databricks_postgres',
  })
  return instance
}

describe('permission on an instance', () => {
  it('is none for a member to whom nothing was granted', async () => {
    const { id } = await addInstance()
    expect(await permission(await addMember(), id)).toBe('none')
  })

  it('is CAN_MANAGE for Workspace Admins, Workspace DBAs and the creator', async () => {
    const creator = await addMember()
    const { id } = await addInstance(creator.principalId)
    expect(await permission(fixture.admin, id)).toBe('manage')
    expect(await permission({ ...(await addMember()), workspaceRole: 'dba' }, id)).toBe('manage')
    expect(await permission(creator, id)).toBe('manage')
  })

  it('comes through groups at any depth, the strongest of all grants', async () => {
    const { db } = fixture.deps.store
    const actor = await addMember()
    const { id } = await addInstance()
    const inner = await addGroup(fixture.deps.store, 'inner', [actor.principalId])
    const outer = await addGroup(fixture.deps.store, 'outer', [inner])
    await putInstancePermission(db, id, outer, 'use')
    expect(await permission(actor, id)).toBe('use')
    await putInstancePermission(db, id, inner, 'manage')
    await putInstancePermission(db, id, actor.principalId, 'use')
    expect(await permission(actor, id)).toBe('manage')
  })

  it('ends with the group that it came through', async () => {
    const { db } = fixture.deps.store
    const actor = await addMember()
    const { id } = await addInstance()
    const group = await addGroup(fixture.deps.store, 'deactivated', [actor.principalId])
    await putInstancePermission(db, id, group, 'manage')
    await setPrincipalActive(db, group, false)
    expect(await permission(actor, id)).toBe('none')
  })

  it('is never given on an instance of another workspace, not even to an administrator of this one', async () => {
    const { db } = fixture.deps.store
    const elsewhere = newNumericId<WorkspaceId>()
    await db
      .insertInto('workspace')
      .values({ id: elsewhere, name: 'elsewhere', gateway_domain: 'elsewhere.localhost' })
      .execute()
    const member = await addMember()
    const { id } = await addInstance(member.principalId, elsewhere)
    await putInstancePermission(db, id, member.principalId, 'manage')
    expect(await permission(fixture.admin, id)).toBe('none')
    expect(await permission(member, id)).toBe('none')
  })

  it('stops whoever has less, naming what is needed and where', async () => {
    const actor = await addMember()
    const instance = await addInstance()
    const { deps } = fixture
    await putInstancePermission(deps.store.db, instance.id, actor.principalId, 'use')
    await expect(requireInstancePermission(deps, actor, instance, 'use')).resolves.toBeUndefined()
    await expect(requireInstancePermission(deps, actor, instance, 'manage')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(`CAN_MANAGE on database instance '${instance.name}'.*CAN_USE alone`),
    })
  })
})
