import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { createInstanceFixture } from '../../test/support/instance-fixture.ts'
import { AuditWriter } from '../audit/audit-writer.ts'
import type { PrincipalId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { SigningKeys } from '../keys/signing-keys.ts'
import type { Store } from '../store/store.ts'
import { issueDatabaseCredential } from './mint-credential.ts'
import { verifyDatabaseCredential } from './verify-credential.ts'

const now = new Date('2026-01-01T00:00:00Z')
const clock = { now: () => now }
const team = '100000000000003' as PrincipalId

let postgres: EmbeddedPostgres
let store: Store
let member: Actor
let mint: (actor: Actor, input: Parameters<typeof issueDatabaseCredential>[2]) => Promise<string>
let verify: (credential: string) => ReturnType<typeof verifyDatabaseCredential>
let audit: AuditWriter

/** `shop`: the group `team` has a role; `bare`: nobody has one; `copied`: like shop, with a read-only data source. */
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  const { deps, admin, addPrincipal } = await createInstanceFixture(store)
  const ana = await addPrincipal()
  member = { ...admin, principalId: ana.id, kind: 'service_principal', name: ana.clientId, workspaceRole: 'member' }
  const instances = ['shop', 'bare', 'copied'].map((name) => ({ name, id: randomUUID() }))
  const [shop, , copied] = instances.map(({ id }) => id)
  const rows = instances.map(
    ({ name, id }) => `('${id}', ${admin.workspaceId}, '${name}', 'external', 'postgres', 'AVAILABLE', 'shop')`,
  )
  await store.pool.query(`
    insert into principal (id, kind, display_name) values (${team}, 'group', 'Team'), (${team}1, 'group', 'Inner'), (${team}2, 'group', 'Elsewhere');
    insert into principal_group (principal_id) values (${team}), (${team}1), (${team}2);
    insert into group_member (group_id, member_id) values (${team}, ${team}1), (${team}1, ${ana.id}), (${team}2, ${ana.id});
    insert into workspace_assignment (workspace_id, principal_id, role) values (${admin.workspaceId}, ${team}, 'member');
    insert into instance (id, workspace_id, name, kind, engine, state, default_database) values ${rows.join()};
    insert into data_source (id, instance_id, type, name, host, port, database, username, tls_mode)
      values ('${randomUUID()}', '${copied}', 'read_only', 'copy', 'db.test', 5432, 'shop', 'reader', 'verify-full');
    insert into postgres_role_binding (id, instance_id, principal_id, role_name, role_oid, system_identifier)
      values ('${randomUUID()}', '${shop}', ${team}, 'Team', 16385, '7'),
             ('${randomUUID()}', '${shop}', ${team}2, 'Elsewhere', 16386, '7'),
             ('${randomUUID()}', '${copied}', ${team}, 'Team', 16385, '8')`)
  const signingKeys = await SigningKeys.load(store, deps.masterKey, clock)
  audit = new AuditWriter({ store, deadlineMs: 5_000 })
  const minting = { store, signingKeys, audit, clock }
  mint = async (actor, input) => (await issueDatabaseCredential(minting, actor, input)).token.reveal()
  verify = (credential) => verifyDatabaseCredential({ signingKeys, clock }, credential)
}, 60_000)
afterAll(async () => {
  await audit?.close()
  await store?.close()
  await postgres?.stop()
})

test('a credential lives an hour and opens everything that its principal holds, unless it is asked for less', async () => {
  const check = await verify(await mint(member, { instanceNames: ['shop'] }))
  expect(check).toMatchObject({ principal: { groupId: undefined, readOnly: false } })
  expect(check).toHaveProperty('principal.expiresAt', new Date('2026-01-01T01:00:00Z'))
})

test('a credential for a group names the group by its immutable id, through any depth of membership', async () => {
  const check = await verify(await mint(member, { instanceNames: ['shop', 'copied'], groupName: 'Team' }))
  expect(check).toMatchObject({ kind: 'verified', principal: { groupId: team, principalId: member.principalId } })
})

test.each([
  ['of another case', 'team', 'shop'],
  ['that has no Postgres role there', 'Inner', 'shop'],
  ['that is not assigned to the workspace', 'Elsewhere', 'shop'],
  ['that does not exist', 'nobody', 'shop'],
  ['without a Postgres role on one of the instances', 'Team', 'bare'],
])('a credential for a group %s is refused in the same words', async (_, groupName, instance) => {
  const minting = mint(member, { instanceNames: ['shop', instance], groupName })
  await expect(minting).rejects.toMatchObject({ code: 'ROLE_NOT_BOUND' })
  await expect(minting).rejects.toThrow(`is in no group '${groupName}' that is assigned to the workspace and has`)
})

test('not even an admin gets a credential for a group that he is not in', async () => {
  const admin: Actor = { ...member, principalId: '42' as PrincipalId, workspaceRole: 'admin' }
  const minting = mint(admin, { instanceNames: ['shop'], groupName: 'Team' })
  await expect(minting).rejects.toMatchObject({ code: 'ROLE_NOT_BOUND' })
})

test.each([300, 3600])('a credential may live %i seconds', async (lifetimeSeconds) => {
  const check = await verify(await mint(member, { instanceNames: ['shop'], lifetimeSeconds }))
  expect(check).toHaveProperty('principal.expiresAt', new Date(now.getTime() + lifetimeSeconds * 1000))
})

test.each([299, 3601, 0, -1, 600.5, Number.NaN])('a life of %d seconds is refused', async (lifetimeSeconds) => {
  const minting = mint(member, { instanceNames: ['shop'], lifetimeSeconds })
  await expect(minting).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('a read-only credential needs a read-only data source on every instance, and says so', async () => {
  expect(await verify(await mint(member, { instanceNames: ['copied'], readOnly: true }))).toMatchObject({
    principal: { readOnly: true },
  })
  const minting = mint(member, { instanceNames: ['copied', 'shop'], readOnly: true })
  await expect(minting).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(minting).rejects.toThrow(`on database instance 'shop': it has no read-only data source`)
})

test('without a Postgres role, CAN_USE on the instance is needed, and Workspace Admins and DBAs have it', async () => {
  await expect(mint(member, { instanceNames: ['bare'] })).rejects.toMatchObject({ code: 'ROLE_NOT_BOUND' })
  expect(await verify(await mint({ ...member, workspaceRole: 'dba' }, { instanceNames: ['bare'] }))).toMatchObject({
    kind: 'verified',
  })
  await store.pool.query(`
    insert into instance_permission (instance_id, principal_id, level)
      select id, ${team}, 'use' from instance where name = 'bare'`)
  expect(await verify(await mint(member, { instanceNames: ['bare'] }))).toMatchObject({ kind: 'verified' })
})

test('every refusal and every credential is in the audit, with what it was asked to be restricted to', async () => {
  await mint(member, { instanceNames: ['copied'], groupName: 'Team', readOnly: true, requestId: 'wish-1' })
  const { rows } = await store.pool.query(
    `select outcome, detail from audit_event where action = 'credential.issue' and detail ->> 'callerRequestId' = 'wish-1'`,
  )
  expect(rows).toMatchObject([{ outcome: 'allowed', detail: { group: 'Team', readOnly: true, instances: ['copied'] } }])
})
