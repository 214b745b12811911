import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { startFakeUpstream, type FakeUpstream } from '../../test/support/fake-upstream.ts'
import {
  addDataSourceUser,
  as,
  createInstanceFixture,
  type InstanceFixture,
} from '../../test/support/instance-fixture.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import { withAdminSession } from '../access/admin-session.ts'
import { bindPostgresRole } from '../access/bind-postgres-role.ts'
import { repairPostgresRole } from '../access/repair-postgres-role.ts'
import type { DataSourceInput, DataSourcePatch } from '../contract/data-sources.ts'
import { presentInstance } from '../http/present/instance.ts'
import { findInstance } from '../store/instances.ts'
import { putInstancePermission } from '../store/instance-permissions.ts'
import { findManagedInstance } from '../store/managed-instances.ts'
import { createInstance, validateInstance } from './create-instance.ts'
import { deleteInstance, undeleteInstance } from './delete-instance.ts'
import { purgeInstance } from './purge-instance.ts'
import { getInstance, listInstances } from './read-instances.ts'
import { startInstance, stopInstance } from './start-and-stop.ts'
import { testStored } from './test-stored.ts'
import { updateInstance } from './update-instance.ts'

let upstream: UpstreamPostgres
let moved: UpstreamPostgres
let fixture: InstanceFixture
let source: DataSourceInput
const traps: FakeUpstream[] = []
const none = { createDb: false, createRole: false, bypassRls: false }

beforeAll(async () => {
  const hba = ['host all all 127.0.0.1/32 scram-sha-256']
  const local = await startEmbeddedPostgres()
  upstream = await startUpstreamPostgres({ hba })
  moved = await startUpstreamPostgres({ hba })
  fixture = await createInstanceFixture(await local.freshStore())
  source = await addDataSourceUser(upstream, 'postern')
  await addDataSourceUser(moved, 'postern')
  return async () => {
    await upstream.stop()
    await moved.stop()
    await local.stop()
  }
}, 60_000)
afterEach(async () => {
  await Promise.all(traps.splice(0).map((trap) => trap.stop()))
})

function external(name: string, change: Partial<DataSourceInput> = {}) {
  return { kind: 'external', engine: 'postgres', name, adminDataSource: { ...source, ...change } } as const
}

/** An attacker's server: lets nobody in, and would keep whatever it is sent. */
async function setTrap(): Promise<FakeUpstream> {
  const server = await startFakeUpstream((socket) => socket.write(Buffer.from('R\0\0\0\x08\0\0\0\x03', 'latin1')))
  traps.push(server)
  return server
}

async function createExternal(): Promise<string> {
  const name = `i-${randomUUID()}`
  await createInstance(fixture.deps, fixture.admin, external(name))
  return name
}

const patch = (name: string, adminDataSource: DataSourcePatch) =>
  updateInstance(fixture.deps, fixture.admin, name, { adminDataSource })

describe('creating an external instance', () => {
  it('tests it, stores it AVAILABLE, and never answers its password', async () => {
    const instance = await createInstance(fixture.deps, fixture.admin, external('orders'))
    expect(instance).toMatchObject({
      state: 'AVAILABLE',
      defaultDatabase: 'postgres',
      creatorName: 'admin@main.test',
      serverVersion: '18.4',
    })
    const shown = presentInstance(instance, 5432, new Date())
    expect(shown).toMatchObject({
      gatewayHost: 'orders.main.localhost',
      dataSources: [{ passwordSet: true, tlsMode: 'disable' }],
    })
    expect(JSON.stringify(shown)).not.toContain(source.password!)
    const { rows } = await fixture.deps.store.pool.query(
      'select d::text as row from data_source d union all select s::text from data_source_secret s',
    )
    expect(JSON.stringify(rows)).not.toContain(source.password!)
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(source.password!).toString('hex'))
    expect(await fixture.auditTrail()).toContain('instance.create allowed')
  })

  it('with validateOnly reports every stage and stores nothing', async () => {
    const report = await validateInstance(fixture.deps, fixture.admin, external('never'))
    expect(report).toMatchObject({ ok: true, serverVersion: '18.4', addressesToAllow: ['203.0.113.7'] })
    expect(report.stages.map(({ stage }) => stage)).toEqual(['secret', 'name', 'tcp', 'login', 'version', 'privileges'])
    await expect(getInstance(fixture.deps, fixture.admin, 'never')).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
    })
  })

  it.each<[string, Partial<DataSourceInput>, string, string]>([
    ['an unknown name', { host: 'no-such-host.invalid' }, 'name', 'UPSTREAM_NAME_UNKNOWN'],
    ['a metadata address', { host: '169.254.169.254' }, 'name', 'UPSTREAM_ADDRESS_REFUSED'],
    ['a closed port', { port: 1 }, 'tcp', 'UPSTREAM_PORT_CLOSED'],
    ['a server without TLS', { tlsMode: 'verify-full' }, 'tls', 'UPSTREAM_TLS_REFUSED'],
    ['a wrong password', { password: 'wrong' }, 'login', 'UPSTREAM_AUTH_FAILED'],
    ['an unknown user', { username: 'nobody' }, 'login', 'UPSTREAM_AUTH_FAILED'],
    ['an unknown database', { database: 'nowhere' }, 'login', 'DATABASE_NOT_FOUND'],
  ])('is refused at %s, and the report says at which stage and what to do', async (_, change, stage, code) => {
    const report = await validateInstance(fixture.deps, fixture.admin, external('refused', change))
    expect(report.ok).toBe(false)
    expect(report.stages.at(-1)).toMatchObject({ stage, ok: false, code, action: expect.stringMatching(/\w/) })
    const input = external('refused', change)
    const { host, port } = input.adminDataSource
    const refusal = await createInstance(fixture.deps, fixture.admin, input).catch((thrown: unknown) => thrown)
    expect(refusal).toMatchObject({ code })
    if (code.startsWith('UPSTREAM_')) {
      expect(refusal).toMatchObject({ message: expect.stringContaining(`(${host}:${port})`) })
    }
    await expect(getInstance(fixture.deps, fixture.admin, 'refused')).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
    })
  })

  it.each(['/run/postern', '/tmp', '@abstract', '\\\\pipe'])(
    'is refused for the socket %s: it would lead into our own servers',
    async (host) => {
      await expect(createInstance(fixture.deps, fixture.admin, external('socket', { host }))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
      const name = await createExternal()
      await expect(patch(name, { host, password: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    },
  )

  it('says what an administrator of the database should run when its user cannot make Postgres roles', async () => {
    const weak = await addDataSourceUser(upstream, 'weak', '')
    const report = await validateInstance(fixture.deps, fixture.admin, external('weak', weak))
    expect(report).toMatchObject({
      ok: true,
      missingPrivileges: expect.arrayContaining(['ALTER ROLE "weak" CREATEROLE CREATEDB']),
    })
  })

  it('is for Workspace Admins and DBAs', async () => {
    const member = as(fixture.admin, 'member')
    await expect(createInstance(fixture.deps, member, external('denied'))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(validateInstance(fixture.deps, member, external('denied'))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(updateInstance(fixture.deps, member, 'orders', {})).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(deleteInstance(fixture.deps, member, 'orders')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  it('refuses a name that is taken', async () => {
    const name = await createExternal()
    await expect(createInstance(fixture.deps, fixture.admin, external(name))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
  })
})

describe('reading', () => {
  it('pages in the order of names, filters, and shows members no data sources', async () => {
    const names = ['page-a', 'page-b', 'page-c']
    for (const name of names) await createInstance(fixture.deps, fixture.admin, external(name))
    const first = await listInstances(fixture.deps, fixture.admin, { text: 'PAGE-' }, { limit: 2 })
    expect(first.map(({ name }) => name)).toEqual(['page-a', 'page-b'])
    const second = await listInstances(
      fixture.deps,
      fixture.admin,
      { text: 'page-' },
      {
        limit: 2,
        after: { value: 'page-b', name: 'page-b' },
      },
    )
    expect(second.map(({ name }) => name)).toEqual(['page-c'])
    expect(await listInstances(fixture.deps, fixture.admin, { text: '%' }, { limit: 9 })).toEqual([])
    expect((await getInstance(fixture.deps, as(fixture.admin, 'member'), 'page-a')).dataSources).toEqual([])
    expect((await getInstance(fixture.deps, as(fixture.admin, 'dba'), 'page-a')).dataSources).toHaveLength(1)
  })
})

describe('a stored password', () => {
  it.each<[string, DataSourcePatch]>([
    ['host', { host: 'localhost' }],
    ['user', { username: 'somebody' }],
    ['TLS mode', { tlsMode: 'require' }],
  ])('is not used with another %s', async (_, change) => {
    const name = await createExternal()
    await expect(patch(name, change)).rejects.toMatchObject({ code: 'SECRET_REQUIRED' })
  })

  it('is never sent to another place: an attacker’s server sees no connection at all', async () => {
    const name = await createExternal()
    const attacker = await setTrap()
    await expect(patch(name, { port: attacker.port })).rejects.toMatchObject({ code: 'SECRET_REQUIRED' })
    expect(attacker.accepted).toBe(0)
    expect((await getInstance(fixture.deps, fixture.admin, name)).dataSources[0]?.port).toBe(source.port)
  })

  it('cannot be opened by whoever moves the data source inside the store', async () => {
    const name = await createExternal()
    const attacker = await setTrap()
    const { store } = fixture.deps
    const instance = await findInstance(store.db, fixture.admin.workspaceId, name)
    await store.db
      .updateTable('data_source')
      .set({ port: attacker.port })
      .where('instance_id', '=', instance!.id)
      .execute()
    await expect(withAdminSession(fixture.deps, instance!, async () => undefined)).rejects.toMatchObject({
      code: 'SECRET_UNREADABLE',
    })
    expect(attacker.accepted).toBe(0)
  })

  it('goes on working when only the database changes', async () => {
    const name = await createExternal()
    expect(await patch(name, { database: 'template1' })).toMatchObject({ defaultDatabase: 'template1' })
  })
})

describe('changing an instance', () => {
  it('tests a new password before it is stored', async () => {
    const name = await createExternal()
    await expect(patch(name, { password: 'wrong' })).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_FAILED' })
    await patch(name, { password: source.password })
  })

  it('refuses a change that is based on an older state', async () => {
    const name = await createExternal()
    const { version } = await getInstance(fixture.deps, fixture.admin, name)
    const change = { etag: version, nativeLoginEnabled: true }
    const changed = await updateInstance(fixture.deps, fixture.admin, name, change)
    expect(changed).toMatchObject({ nativeLoginEnabled: true })
    expect(changed.version).not.toBe(version)
    await expect(updateInstance(fixture.deps, fixture.admin, name, change)).rejects.toMatchObject({
      code: 'ETAG_MISMATCH',
    })
  })

  it('gives bound roles new login keys when the same cluster is reached another way', async () => {
    const name = await createExternal()
    const { clientId } = await fixture.addPrincipal()
    const { roleName, loginKeySealed } = await bindPostgresRole(fixture.deps, fixture.admin, name, {
      principal: { clientId },
      attributes: none,
      administrator: false,
    })
    await patch(name, { host: 'localhost', password: source.password })
    const { findings, role } = await repairPostgresRole(fixture.deps, fixture.admin, name, roleName)
    expect(findings).toEqual([])
    expect(role.loginKeySealed).not.toEqual(loginKeySealed)
  })

  it('accepts another cluster only with the password entered again, and its roles are not taken for the bound ones', async () => {
    const name = await createExternal()
    const { clientId } = await fixture.addPrincipal()
    const { roleName } = await bindPostgresRole(fixture.deps, fixture.admin, name, {
      principal: { clientId },
      attributes: none,
      administrator: false,
    })
    await patch(name, { port: moved.port, password: source.password })
    await expect(repairPostgresRole(fixture.deps, fixture.admin, name, roleName)).rejects.toMatchObject({
      code: 'ROLE_DRIFTED',
    })
  })
})

describe('purging an external instance', () => {
  it('takes the Postgres roles along that it can, and reports those that it cannot', async () => {
    const name = await createExternal()
    const roles: string[] = []
    for (let i = 0; i < 2; i++) {
      const { clientId } = await fixture.addPrincipal()
      roles.push(
        (
          await bindPostgresRole(fixture.deps, fixture.admin, name, {
            principal: { clientId },
            attributes: none,
            administrator: false,
          })
        ).roleName,
      )
    }
    const superuser = await upstream.superuser()
    await superuser.query(`create table kept (id int); alter table kept owner to "${roles[0]}"`)
    expect(await purgeInstance(fixture.deps, fixture.admin, name)).toEqual([
      { roleName: roles[0], outcome: 'failed', code: 'IN_USE' },
    ])
    const { rows } = await superuser.query('select rolname from pg_roles where rolname = any ($1)', [roles])
    await superuser.end()
    expect(rows).toEqual([{ rolname: roles[0] }])
    await expect(getInstance(fixture.deps, fixture.admin, name)).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' })
  })
})

describe('deleting an external instance', () => {
  it('hides it, refuses its sessions, keeps its name, and undelete brings it back as it was', async () => {
    const { deps, admin } = fixture
    const name = await createExternal()
    const { clientId } = await fixture.addPrincipal()
    const spec = { principal: { clientId }, attributes: none, administrator: false }
    const { roleName } = await bindPostgresRole(deps, admin, name, spec)
    expect(await deleteInstance(deps, admin, name)).toBe('DELETED')
    const listed = async (filter: object) =>
      (await listInstances(deps, admin, { text: name, ...filter }, { limit: 2 })).map((each) => each.state)
    expect(await listed({})).toEqual([])
    expect(await listed({ showDeleted: true })).toEqual(['DELETED'])
    expect(await listed({ state: 'DELETED' })).toEqual(['DELETED'])
    await expect(createInstance(deps, admin, external(name))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('deleted instance still has the name'),
    })
    await expect(patch(name, { title: 'x' })).rejects.toMatchObject({ code: 'INSTANCE_NOT_AVAILABLE' })
    await expect(testStored(deps, admin, name, 'admin', undefined)).rejects.toMatchObject({
      code: 'INSTANCE_NOT_AVAILABLE',
    })
    await expect(repairPostgresRole(deps, admin, name, roleName)).rejects.toMatchObject({
      code: 'INSTANCE_NOT_AVAILABLE',
    })
    expect(await undeleteInstance(deps, admin, name)).toMatchObject({ state: 'AVAILABLE', deletedAt: null })
    expect((await repairPostgresRole(deps, admin, name, roleName)).findings).toEqual([])
    await expect(undeleteInstance(deps, admin, name)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await purgeInstance(deps, admin, name)
    await createInstance(deps, admin, external(name))
  })
})

describe('a managed instance', () => {
  it('lets whoever manages it say nothing of the roles that native login opens, not even by a mask without a value', async () => {
    const { deps, admin } = fixture
    await createInstance(deps, admin, { kind: 'managed', engine: 'postgres', name: 'named-roles' })
    await updateInstance(deps, admin, 'named-roles', { nativeLoginRoles: ['keeper'] })
    const manager = { ...as(admin, 'member'), principalId: (await fixture.addPrincipal()).id }
    const { id } = await getInstance(deps, admin, 'named-roles')
    await putInstancePermission(deps.store.db, id, manager.principalId, 'manage')
    await updateInstance(deps, manager, 'named-roles', { title: 'Mine' })
    const attempts: { nativeLoginRoles?: string[] | null; updateMask?: string }[] = [
      { nativeLoginRoles: ['boss'] },
      { nativeLoginRoles: null },
      { updateMask: 'nativeLoginRoles' },
    ]
    for (const { updateMask, ...input } of attempts) {
      await expect(updateInstance(deps, manager, 'named-roles', input, { updateMask })).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
      })
    }
    expect(await getInstance(deps, admin, 'named-roles')).toMatchObject({ nativeLoginRoles: ['keeper'] })
    await deleteInstance(deps, admin, 'named-roles')
  })

  it('is STARTING and asked of the local node; stop, start and delete say what is wanted', async () => {
    const { deps, admin } = fixture
    const created = await createInstance(deps, admin, { kind: 'managed', engine: 'postgres', name: 'sample' })
    expect(created).toMatchObject({ state: 'STARTING', defaultDatabase: 'databricks_postgres', dataSources: [] })
    const wanted = async () => (await findManagedInstance(deps.store.db, created.id))?.desired
    expect(await findManagedInstance(deps.store.db, created.id)).toMatchObject({
      nodeId: deps.localNodeId,
      desired: 'running',
    })
    expect(await stopInstance(deps, admin, 'sample')).toMatchObject({ state: 'UPDATING' })
    expect(await wanted()).toBe('stopped')
    await expect(startInstance(deps, admin, 'sample')).resolves.toMatchObject({ state: 'STARTING' })
    expect(await wanted()).toBe('running')
    await expect(updateInstance(deps, admin, 'sample', { adminDataSource: { password: 'x' } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await deleteInstance(deps, admin, 'sample')
    expect(await wanted()).toBe('deleted')
    await expect(startInstance(deps, admin, 'sample')).rejects.toMatchObject({ code: 'INSTANCE_NOT_AVAILABLE' })
    await expect(stopInstance(deps, admin, 'orders')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
