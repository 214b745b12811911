import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  addDataSourceUser,
  as,
  createInstanceFixture,
  type InstanceFixture,
} from '../../test/support/instance-fixture.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import { createInstance } from '../instances/create-instance.ts'
import { SessionStatements } from '../keys/session-statements.ts'
import { findInstance, type InstanceRow } from '../store/instances.ts'
import { findPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { attendInstance, listAttendedInstances } from './attend-sql-roles.ts'
import { bindPostgresRole } from './bind-postgres-role.ts'
import type { SqlRoleDependencies } from './complete-sql-role.ts'
import { installDatabricksAuth } from './install-databricks-auth.ts'

let upstream: UpstreamPostgres
let fixture: InstanceFixture
let deps: SqlRoleDependencies
let superuser: pg.Client
let instance: InstanceRow
let version = 0

beforeAll(async () => {
  const local = await startEmbeddedPostgres()
  upstream = await startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] })
  superuser = await upstream.superuser()
  fixture = await createInstanceFixture(await local.freshStore())
  const sessionStatements = SessionStatements.unread(fixture.deps.store, fixture.deps.masterKey)
  await sessionStatements.load()
  deps = { ...fixture.deps, sessionStatements }
  const adminDataSource = await addDataSourceUser(upstream, 'postern', 'createrole createdb bypassrls')
  await superuser.query('grant pg_read_all_data, pg_write_all_data, pg_monitor to postern with admin option')
  const external = { kind: 'external', name: 'orders', engine: 'postgres', adminDataSource } as const
  await createInstance(fixture.deps, fixture.admin, external)
  instance = (await findInstance(deps.store.db, fixture.admin.workspaceId, 'orders'))!
  return async () => {
    await superuser.end()
    await upstream.stop()
    await local.stop()
  }
}, 60_000)

async function attendAll(): Promise<void> {
  for (const attended of await listAttendedInstances(deps, fixture.deps.localNodeId)) {
    await attendInstance(deps, attended, {
      version: () => ++version,
      pause: async () => false,
      onFailure: (_, thrown) => {
        throw thrown
      },
    })
  }
}

describe('databricks_auth on an external instance', () => {
  it('is for whoever manages the instance, and says which grants it lacks', async () => {
    const member = as(fixture.admin, 'member')
    await expect(installDatabricksAuth(deps, member, 'orders', undefined)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(installDatabricksAuth(deps, fixture.admin, 'orders', undefined)).rejects.toMatchObject({
      hint: expect.stringMatching(/GRANT CREATE ON DATABASE/),
    })
    await expect(installDatabricksAuth(deps, fixture.admin, 'orders', 'nowhere')).rejects.toMatchObject({
      code: 'DATABASE_NOT_FOUND',
    })
    expect(await listAttendedInstances(deps, fixture.deps.localNodeId)).toEqual([])
  })

  it('makes roles for identities that the gateway can log in as, for sessions that it opened and no others', async () => {
    await superuser.query('grant create on database postgres to postern; grant create on schema public to postern')
    expect(await installDatabricksAuth(deps, fixture.admin, 'orders', undefined)).toBe('postgres')
    expect(await installDatabricksAuth(deps, fixture.admin, 'orders', undefined)).toBe('postgres')

    const { clientId } = await fixture.addPrincipal()
    const maker = await bindMaker(clientId)
    const newcomer = await fixture.addPrincipal()
    await attendAll()
    const statement = deps.sessionStatements.sign({
      instanceId: instance.id,
      systemIdentifier: maker.systemIdentifier,
      roleOid: maker.roleOid,
      principalId: fixture.admin.principalId,
      expiresAt: new Date(Date.now() + 60_000),
    })
    await superuser.query(`alter role "${clientId}" password 'side door'`)
    const login = {
      host: '127.0.0.1',
      port: upstream.port,
      user: clientId,
      password: 'side door',
      database: 'postgres',
    }
    const create = { text: `select databricks_create_role($1, 'SERVICE_PRINCIPAL')`, values: [newcomer.clientId] }
    const native = new pg.Client(login)
    await native.connect()
    await expect(native.query(create)).rejects.toMatchObject({ code: '28000' })
    await native.end()

    const session = new pg.Client({ ...login, options: `-c postern.session=${statement}` })
    await session.connect()
    await session.query(create)
    await attendAll()
    await session.end()
    const binding = await findPostgresRoleBinding(deps.store.db, instance.id, newcomer.clientId)
    expect(binding).toMatchObject({ principalId: newcomer.id, loginKeySealed: expect.any(Buffer) })
    const { rows } = await superuser.query(
      `select rolpassword like 'SCRAM-SHA-256$%' as has_login_key from pg_authid where oid = $1`,
      [binding?.roleOid],
    )
    expect(rows).toEqual([{ has_login_key: true }])
  })

  it('is forgotten where somebody removed it', async () => {
    await superuser.query('drop schema databricks_auth cascade')
    await attendAll()
    expect(await listAttendedInstances(deps, fixture.deps.localNodeId)).toEqual([])
  })
})

async function bindMaker(clientId: string) {
  return bindPostgresRole(deps, fixture.admin, 'orders', {
    principal: { clientId },
    attributes: { createDb: false, createRole: true, bypassRls: false },
    administrator: false,
  })
}
