import { randomUUID } from 'node:crypto'
import { newNumericId, type PrincipalId } from '../../src/base/ids.ts'
import { systemClock } from '../../src/base/clock.ts'
import { MasterKey } from '../../src/crypto/master-key.ts'
import type { Actor } from '../../src/identity/actor.ts'
import { bootstrapWorkspace } from '../../src/identity/bootstrap-workspace.ts'
import { createServicePrincipal } from '../../src/identity/create-service-principal.ts'
import type { InstanceDependencies } from '../../src/instances/instance-dependencies.ts'
import type { Store } from '../../src/store/store.ts'
import { testDialer } from './test-dialer.ts'
import type { UpstreamPostgres } from './upstream-postgres.ts'

/** A workspace on a fresh store, and what the use-cases of instances and Postgres roles need. */
export interface InstanceFixture {
  readonly deps: InstanceDependencies
  readonly admin: Actor
  /** A service principal of the workspace. */
  addPrincipal(): Promise<{ id: PrincipalId; clientId: string }>
  /** Actions and outcomes in the audit, oldest first. */
  auditTrail(): Promise<string[]>
}

export async function createInstanceFixture(store: Store): Promise<InstanceFixture> {
  const masterKey = MasterKey.generate()
  const first = { name: 'main', hosts: [], gatewayDomain: 'main.localhost', adminEmail: 'admin@main.test' }
  const { workspaceId } = await bootstrapWorkspace({ store, masterKey, clock: systemClock }, first)
  const row = await store.db.selectFrom('user_account').select('principal_id').executeTakeFirstOrThrow()
  const admin: Actor = {
    principalId: row.principal_id,
    kind: 'user',
    name: first.adminEmail,
    workspaceId,
    workspaceRole: 'admin',
    requestId: 'test',
    peer: '127.0.0.1',
  }
  const dialer = testDialer()
  return {
    deps: {
      store,
      masterKey,
      dialer,
      clock: systemClock,
      localNodeId: randomUUID(),
      egressAddresses: ['203.0.113.7'],
      surroundings: { inContainer: false, platform: 'linux' },
    },
    admin,
    addPrincipal: () => createServicePrincipal({ store }, admin, { displayName: 'test', workspaceRole: 'member' }),
    async auditTrail() {
      const rows = await store.db
        .selectFrom('audit_event')
        .select(['action', 'outcome'])
        .orderBy('recorded_at')
        .execute()
      return rows.map(({ action, outcome }) => `${action} ${outcome}`)
    },
  }
}

/** The same person with another workspace role. */
export function as(actor: Actor, workspaceRole: Actor['workspaceRole']): Actor {
  return { ...actor, principalId: newNumericId(), workspaceRole }
}

/** Makes the user of an admin data source on an upstream, and what to enter for it. */
export async function addDataSourceUser(
  upstream: UpstreamPostgres,
  username: string,
  attributes = 'createrole createdb',
) {
  const superuser = await upstream.superuser()
  await superuser.query(`create role ${username} login ${attributes} password 'data source password'`)
  await superuser.end()
  return {
    host: '127.0.0.1',
    port: upstream.port,
    database: 'postgres',
    username,
    password: 'data source password',
    tlsMode: 'disable' as const,
  }
}
