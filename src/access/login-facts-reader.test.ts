import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Store } from '../store/store.ts'
import { authorizeLogin } from './authorize-login.ts'
import { LoginFactsReader } from './login-facts-reader.ts'
import { VerifiedPrincipal } from './verified-principal.ts'

const workspaceId = '100000000000001' as WorkspaceId
const ana = '100000000000002' as PrincipalId
const team = '100000000000003' as PrincipalId
const instanceId = randomUUID() as InstanceId

let postgres: EmbeddedPostgres
let store: Store
let now: Date
let isAway = false
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())
beforeEach(async () => {
  now = new Date('2026-01-01T00:00:00Z')
  store = await postgres.freshStore()
  await store.pool.query(`
    insert into workspace (id, name, gateway_domain) values (${workspaceId}, 'main', 'main.test');
    insert into principal (id, kind, display_name) values (${ana}, 'user', 'Ana'), (${team}, 'group', 'team');
    insert into user_account (principal_id, email) values (${ana}, 'ana@main.test');
    insert into principal_group (principal_id) values (${team});
    insert into group_member (group_id, member_id) values (${team}, ${ana});
    insert into workspace_assignment (workspace_id, principal_id, role)
      values (${workspaceId}, ${ana}, 'member'), (${workspaceId}, ${team}, 'member');
    insert into instance (id, workspace_id, name, kind, engine, state, default_database)
      values ('${instanceId}', ${workspaceId}, 'sample', 'external', 'postgres', 'AVAILABLE', 'shop');
    insert into data_source (id, instance_id, type, name, host, port, database, username, tls_mode)
      values ('${randomUUID()}', '${instanceId}', 'admin', 'admin', 'db.test', 5432, 'shop', 'postern', 'verify-full');
    insert into postgres_role_binding (id, instance_id, principal_id, role_name, role_oid, system_identifier)
      values ('${randomUUID()}', '${instanceId}', ${ana}, 'ana', 16384, '7'),
             ('${randomUUID()}', '${instanceId}', ${team}, 'team', 16385, '7')`)
})
afterEach(async () => {
  await store.close()
})

/** Takes the store away from everybody, and gives it back. */
async function away(yes: boolean): Promise<void> {
  if (yes === isAway) return
  isAway = yes
  await store.pool.query(yes ? 'alter table principal rename to gone' : 'alter table gone rename to principal')
}
afterEach(() => (isAway = false))

function newReader(rememberSeconds = 300): LoginFactsReader {
  return new LoginFactsReader({ pool: store.pool, clock: { now: () => now }, deadlineMs: 2_000, rememberSeconds })
}

const principal = VerifiedPrincipal.afterVerification({
  workspaceId,
  principalId: ana,
  instanceIds: [instanceId],
  proof: 'credential',
  groupId: undefined,
  readOnly: false,
  credentialId: 'c1',
  expiresAt: new Date('2026-01-01T01:00:00Z'),
})

/** What a login comes to, in a word. */
async function login(reader: LoginFactsReader, roleName = 'ana', instanceName: string | undefined = 'sample') {
  try {
    const { decision, source } = await authorizeLogin(reader, principal, { instanceName, roleName })
    return decision.allowed ? `allowed by ${source}` : decision.denial
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('while the store is away', () => {
  test('only a login that was allowed on this node before is allowed, and for five minutes', async () => {
    const reader = newReader()
    expect(await login(reader)).toBe('allowed by store')
    await away(true)
    expect(await login(reader)).toBe('allowed by memory')
    expect(await login(reader, 'team')).toBe('STORE_UNAVAILABLE')
    expect(await login(newReader())).toBe('STORE_UNAVAILABLE')
    now = new Date(now.getTime() + 300_000)
    expect(await login(reader)).toBe('allowed by memory')
    now = new Date(now.getTime() + 1)
    expect(await login(reader)).toBe('STORE_UNAVAILABLE')
  })

  test('nothing is allowed when remembering is switched off', async () => {
    const reader = newReader(0)
    expect(await login(reader)).toBe('allowed by store')
    await away(true)
    expect(await login(reader)).toBe('STORE_UNAVAILABLE')
  })

  test('the store is left alone for a second after three failures, then asked once', async () => {
    const reader = newReader()
    await login(reader)
    await away(true)
    for (let i = 0; i < 3; i++) await login(reader)
    await away(false)
    expect(await login(reader)).toBe('allowed by memory')
    now = new Date(now.getTime() + 1_000)
    const together = await Promise.all([login(reader), login(reader)])
    expect(together.toSorted()).toEqual(['allowed by memory', 'allowed by store'])
    expect(await login(reader)).toBe('allowed by store')
  })
})

describe('a removal that this node has seen is not undone by the store going away', () => {
  test('by the name of the instance where it was seen by its id', async () => {
    const reader = newReader()
    expect(await login(reader, 'ana', 'sample')).toBe('allowed by store')
    await store.pool.query(`delete from postgres_role_binding where role_name = 'ana'`)
    expect(await login(reader, 'ana', undefined)).toBe('role-not-bound')
    await away(true)
    expect(await login(reader, 'ana', 'sample')).toBe('STORE_UNAVAILABLE')
  })

  test('as another Postgres role where the principal was deactivated', async () => {
    const reader = newReader()
    await login(reader, 'ana')
    await login(reader, 'team')
    await store.pool.query(`update principal set active = false where id = $1`, [ana])
    expect(await login(reader, 'ana')).toBe('principal-inactive')
    await away(true)
    expect(await login(reader, 'team')).toBe('STORE_UNAVAILABLE')
  })

  test('from a group, while what the principal holds itself stays', async () => {
    const reader = newReader()
    await login(reader, 'ana')
    await login(reader, 'team', 'sample')
    await login(reader, 'team', undefined)
    await store.pool.query('delete from group_member')
    expect(await login(reader, 'team')).toBe('not-a-member')
    await away(true)
    expect(await login(reader, 'team', undefined)).toBe('STORE_UNAVAILABLE')
    expect(await login(reader, 'ana')).toBe('allowed by memory')
  })

  test('by an answer that was on its way when the removal was seen', async () => {
    const reader = newReader()
    const question = { workspaceId, principalId: ana, instance: { name: 'sample' }, roleName: 'ana', readOnly: false }
    const slow = await reader.read(question)
    await store.pool.query(`delete from postgres_role_binding where role_name = 'ana'`)
    expect(await login(reader)).toBe('role-not-bound')
    reader.learn(slow, { allowed: true } as Parameters<LoginFactsReader['learn']>[1])
    await away(true)
    expect(await login(reader)).toBe('STORE_UNAVAILABLE')
  })

  test('and a credential that merely names another instance takes nothing away', async () => {
    const reader = newReader()
    await login(reader)
    const other = VerifiedPrincipal.afterVerification({ ...principal, instanceIds: [randomUUID() as InstanceId] })
    const { decision } = await authorizeLogin(reader, other, { instanceName: 'sample', roleName: 'ana' })
    expect(decision).toMatchObject({ denial: 'credential-wrong-instance' })
    await away(true)
    expect(await login(reader)).toBe('allowed by memory')
  })
})
