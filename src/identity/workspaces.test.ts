import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addServicePrincipal, type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import type { Actor } from './actor.ts'
import { updateServicePrincipal } from './change-service-principal.ts'
import { createGroup } from './create-group.ts'
import { createUser } from './create-user.ts'
import { createWorkspace } from './create-workspace.ts'
import { CreateFederationPolicyInput } from '../contract/federation-policies.ts'
import { deleteServicePrincipal, deleteUser } from './delete-principal.ts'
import {
  createFederationPolicy,
  deleteFederationPolicy,
  listFederationPolicies,
} from './federation/federation-policies.ts'
import { listWorkspaces } from './find-workspace.ts'
import { findEntry, listEntries } from './principal-directory.ts'
import { createServicePrincipalSecret, listServicePrincipalSecrets } from './service-principal-secrets.ts'
import { updateGroup } from './update-group.ts'
import { updateUser } from './update-user.ts'
import { updateWorkspace } from './update-workspace.ts'
import { createPasswordReset, setUserPassword } from './user-passwords.ts'
import { assignToWorkspace, unassignFromWorkspace } from './workspace-assignments.ts'
import { Secret } from '../base/secret.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let deps: HttpFixture['deps']
/** Administrates the first workspace. */
let admin: Actor
/** Administrates the second one only. */
let other: Actor
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  fixture = await startHttpFixture(await postgres.freshStore())
  ;({ deps, admin } = fixture)
  const second = await createWorkspace(deps, admin, {
    name: 'second',
    hosts: ['Second.test:8443'],
    gatewayDomain: 'second.test',
  })
  const there = { ...admin, workspaceId: second.id }
  const { id, name } = await createUser(deps, there, { email: 'boss@second.test', workspaceRole: 'admin' })
  await unassignFromWorkspace(deps, there, admin.principalId)
  other = { ...there, principalId: id, name }
  return () => fixture.close()
})

it('gives a new workspace its own keys, its hosts in lower case, and one administrator', async () => {
  const all = await listWorkspaces(deps, admin)
  expect(all).toMatchObject([{ isFirst: true }, { name: 'second', hosts: ['second.test:8443'], isFirst: false }])
  await deps.signingKeys.refresh()
  expect(
    deps.signingKeys
      .list(other.workspaceId)
      .map(({ purpose }) => purpose)
      .toSorted(),
  ).toEqual(['access_token', 'database_credential'])
})

it('lets nobody outside of the first workspace create or change one, or see the others', async () => {
  const input = { name: 'third', hosts: ['third.test'], gatewayDomain: 'third.test' }
  await expect(createWorkspace(deps, other, input)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  await expect(updateWorkspace(deps, other, 'main', { hosts: ['mine.test'] })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  })
  expect(await listWorkspaces(deps, other)).toMatchObject([{ name: 'second' }])
})

it('refuses a host, gateway domain or name that another workspace has', async () => {
  for (const taken of [
    { name: 'second', hosts: ['x.test'], gatewayDomain: 'x.test' },
    { name: 'x', hosts: ['SECOND.test:8443'], gatewayDomain: 'x.test' },
    { name: 'x', hosts: ['x.test'], gatewayDomain: 'Second.test' },
  ]) {
    await expect(createWorkspace(deps, admin, taken)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
  }
  expect(await listWorkspaces(deps, admin)).toHaveLength(2)
})

it('refuses hosts that no Host header can be, and those that every node keeps for itself', async () => {
  for (const host of ['', '*', 'a b.test', 'https://a.test', 'a.test/', 'a.test:0', 'a.test:1:2', 'localhost:8080']) {
    await expect(updateWorkspace(deps, admin, 'second', { hosts: [host] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  }
})

it('shows a workspace nobody of another one', async () => {
  await createUser(deps, admin, { email: 'ana@main.test', workspaceRole: 'member' })
  const seen = await listEntries(deps, other.workspaceId, {}, { limit: 99 })
  expect(seen.map(({ name }) => name)).toEqual(['boss@second.test'])
})

it('lets the administrators of another workspace assign a user and nothing more: they cannot take him over', async () => {
  const { id } = await assignToWorkspace(deps, other, { email: fixture.adminEmail }, 'member')
  const takeovers = [
    () => setUserPassword(deps, other, id, new Secret('a password of my own')),
    () => createPasswordReset(deps, other, id),
    () => updateUser(deps, other, id, { email: 'boss@second.test' }),
    () => updateUser(deps, other, id, { active: false }),
    () => deleteUser(deps, other, id),
  ]
  for (const takeover of takeovers) await expect(takeover()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(await updateUser(deps, other, id, { workspaceRole: null })).toMatchObject({ assignedRole: null })
})

it('lets them make no secret of a foreign service principal and put nobody into a foreign group', async () => {
  const { clientId } = await addServicePrincipal(fixture, 'admin')
  await assignToWorkspace(deps, other, { clientId }, 'member')
  await expect(createServicePrincipalSecret(deps, other, clientId, {})).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  })
  await expect(updateServicePrincipal(deps, other, clientId, { active: false })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  })
  await expect(deleteServicePrincipal(deps, other, clientId)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })

  const admins = await createGroup(deps, admin, { displayName: 'admins', workspaceRole: 'admin' })
  await assignToWorkspace(deps, other, { id: admins.id }, 'member')
  await expect(updateGroup(deps, other, admins.id, { addMembers: [other.principalId] })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  })
})

it('lets no issuer of theirs speak for a foreign service principal, and shows them nothing of how it signs in', async () => {
  const { clientId } = await addServicePrincipal(fixture, 'admin')
  await assignToWorkspace(deps, other, { clientId }, 'member')
  const policy = (name: string) =>
    CreateFederationPolicyInput.parse({ name, issuer: 'https://idp.second.test', subject: 'thief' })
  await createFederationPolicy(deps, admin, clientId, policy('deploy'))
  const attempts = [
    () => createFederationPolicy(deps, other, clientId, policy('mine')),
    () => deleteFederationPolicy(deps, other, clientId, 'deploy'),
    () => listFederationPolicies(deps, other, clientId),
    () => listServicePrincipalSecrets(deps, other, clientId),
  ]
  for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect((await listFederationPolicies(deps, admin, clientId)).map(({ name }) => name)).toEqual(['deploy'])
})

it('finds a group of another workspace by id only: names are chosen by each workspace for itself', async () => {
  const { id } = await createGroup(deps, admin, { displayName: 'analysts', workspaceRole: 'member' })
  await expect(assignToWorkspace(deps, other, { group: 'analysts' }, 'member')).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  await createGroup(deps, other, { displayName: 'analysts', workspaceRole: 'member' })
  expect(await assignToWorkspace(deps, other, { id }, 'dba')).toMatchObject({ isOwn: false, assignedRole: 'dba' })
  await expect(findEntry(deps, other.workspaceId, 'group', 'analysts')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

it('keeps an e-mail for one user of the deployment', async () => {
  await expect(
    createUser(deps, other, { email: fixture.adminEmail.toUpperCase(), workspaceRole: 'admin' }),
  ).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
})
