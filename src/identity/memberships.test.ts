import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addServicePrincipal, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import type { PrincipalId } from '../base/ids.ts'
import { principalsChannel } from '../store/principal-changes.ts'
import type { Actor } from './actor.ts'
import { updateServicePrincipal } from './change-service-principal.ts'
import { createGroup } from './create-group.ts'
import { createUser } from './create-user.ts'
import { deleteGroup, deleteUser } from './delete-principal.ts'
import { findEntry, listEntries } from './principal-directory.ts'
import { readActor } from './read-actor.ts'
import { updateGroup } from './update-group.ts'
import { updateUser } from './update-user.ts'
import { assignToWorkspace, unassignFromWorkspace } from './workspace-assignments.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let deps: HttpFixture['deps']
let admin: Actor
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  fixture = await startHttpFixture(await postgres.freshStore())
  ;({ deps, admin } = fixture)
  return () => fixture.close()
})

let made = 0
async function user(workspaceRole: 'member' | 'dba' | 'admin' | null = 'member'): Promise<PrincipalId> {
  made += 1
  return (await createUser(deps, admin, { email: `person-${made}@main.test`, workspaceRole })).id
}

async function group(memberIds: readonly PrincipalId[], workspaceRole: 'member' | 'admin' | null = 'member') {
  made += 1
  return (await createGroup(deps, admin, { displayName: `group ${made}`, workspaceRole, memberIds })).id
}

const roleOf = async (id: PrincipalId, kind: 'user' | 'group' = 'user') =>
  (await findEntry(deps, admin.workspaceId, kind, id)).workspaceRole

describe('groups', () => {
  it('give their workspace role to members at any depth', async () => {
    const person = await user(null)
    let inner = await group([person], null)
    for (let depth = 0; depth < 30; depth += 1) inner = await group([inner], null)
    expect(await roleOf(person)).toBeNull()
    await updateGroup(deps, admin, inner, { workspaceRole: 'dba' })
    expect(await roleOf(person)).toBe('dba')
  })

  it('refuse themselves as a member, and every group that they are in', async () => {
    const inner = await group([])
    const middle = await group([inner])
    const outer = await group([middle])
    for (const memberId of [inner, middle, outer]) {
      await expect(updateGroup(deps, admin, inner, { addMembers: [memberId] })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
    expect(await listEntries(deps, admin.workspaceId, { memberOf: inner }, { limit: 9 })).toEqual([])
  })

  it('are never closed to a cycle by two changes at the same moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [left, right] = [await group([]), await group([])]
      const outcomes = await Promise.allSettled([
        updateGroup(deps, admin, left, { addMembers: [right] }),
        updateGroup(deps, admin, right, { addMembers: [left] }),
      ])
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
  })

  it('change their members all at once or not at all', async () => {
    const [first, second] = [await user(), await user()]
    const team = await group([first])
    const change = { setMembers: [second], addMembers: ['1' as PrincipalId] }
    await expect(updateGroup(deps, admin, team, change)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const members = await listEntries(deps, admin.workspaceId, { memberOf: team }, { limit: 9 })
    expect(members.map(({ id }) => id)).toEqual([first])
  })

  it('have names that letter case tells apart and Unicode forms do not', async () => {
    await createGroup(deps, admin, { displayName: 'caf\u00e9', workspaceRole: null })
    await createGroup(deps, admin, { displayName: 'CAF\u00c9', workspaceRole: null })
    await expect(createGroup(deps, admin, { displayName: 'cafe\u0301', workspaceRole: null })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
  })
})

describe('the last administrator', () => {
  it('stays, by whatever way he would go', async () => {
    const second = await user('admin')
    const admins = await group([second], 'admin')
    await assignToWorkspace(deps, admin, { id: second }, 'member')
    // The first administrator goes: from here on the group's only member is the last.
    await updateUser(deps, admin, admin.principalId, { active: false })
    const ways = [
      () => updateUser(deps, admin, second, { active: false }),
      () => deleteUser(deps, admin, second),
      () => updateGroup(deps, admin, admins, { removeMembers: [second] }),
      () => updateGroup(deps, admin, admins, { setMembers: [] }),
      () => updateGroup(deps, admin, admins, { active: false }),
      () => updateGroup(deps, admin, admins, { workspaceRole: 'dba' }),
      () => deleteGroup(deps, admin, admins),
      () => unassignFromWorkspace(deps, admin, admins),
      () => assignToWorkspace(deps, admin, { id: admins }, 'member'),
    ]
    for (const way of ways) await expect(way()).rejects.toMatchObject({ code: 'LAST_ADMIN' })
    expect(await roleOf(second)).toBe('admin')
  })

  it('stays when two administrators deactivate each other at the same moment', async () => {
    const second = await user('admin')
    const outcomes = await Promise.allSettled([
      updateUser(deps, admin, second, { active: false }),
      updateUser(deps, admin, admin.principalId, { active: false }),
    ])
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  it('may be a service principal', async () => {
    const { clientId } = await addServicePrincipal(fixture, 'admin')
    await updateUser(deps, admin, admin.principalId, { active: false })
    await expect(updateServicePrincipal(deps, admin, clientId, { active: false })).rejects.toMatchObject({
      code: 'LAST_ADMIN',
    })
  })
})

it('tells every node of whose access shrank, and of nobody when the change fails', async () => {
  const heard: string[] = []
  const stop = await deps.store.listen(principalsChannel, (id) => heard.push(id))
  const person = await user()
  const team = await group([person])
  await updateGroup(deps, admin, team, { removeMembers: [person] })
  await updateUser(deps, admin, person, { active: false })
  await updateUser(deps, admin, admin.principalId, { active: false }).catch(() => undefined)
  await deleteGroup(deps, admin, team)
  await deps.store.notify(principalsChannel, 'end')
  await expect.poll(() => heard).toContain('end')
  expect(heard).toEqual([person, person, team, 'end'])
  await stop()
})

it('refuses a deactivated user from the next request on, and takes what he was signed in with', async () => {
  const person = await user()
  await deps.store.db
    .insertInto('oauth_artifact')
    .values({
      workspace_id: admin.workspaceId,
      model: 'RefreshToken',
      id: 'fixture',
      payload: JSON.stringify({ accountId: person }),
      grant_id: null,
      user_code: null,
      uid: null,
      expires_at: null,
      consumed_at: null,
    })
    .execute()
  const reading = { workspaceId: admin.workspaceId, principalId: person, requestId: 'r', peer: 'p' }
  expect(await readActor(deps, reading)).toMatchObject({ ok: true })
  await updateUser(deps, admin, person, { active: false })
  expect(await readActor(deps, reading)).toEqual({ ok: false, reason: 'inactive' })
  expect(await deps.store.db.selectFrom('oauth_artifact').selectAll().execute()).toEqual([])
})

it('lists by name, page by page, and finds parts of a name literally', async () => {
  for (const email of ['b@main.test', 'A@main.test', 'c_d@main.test', 'cxd@main.test']) {
    await createUser(deps, admin, { email, workspaceRole: 'member' })
  }
  const first = await listEntries(deps, admin.workspaceId, { kind: 'user' }, { limit: 2 })
  expect(first.map(({ name }) => name)).toEqual(['A@main.test', 'admin@main.test'])
  const { name, id } = first[1]!
  const rest = await listEntries(deps, admin.workspaceId, { kind: 'user' }, { limit: 9, after: { name, id } })
  expect(rest.map((row) => row.name)).toEqual(['b@main.test', 'c_d@main.test', 'cxd@main.test'])
  const found = await listEntries(deps, admin.workspaceId, { kind: 'user', search: 'C_D' }, { limit: 9 })
  expect(found.map((row) => row.name)).toEqual(['c_d@main.test'])
})
