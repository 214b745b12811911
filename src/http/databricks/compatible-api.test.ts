import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addGroup,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
  type TestServicePrincipal,
} from '../../../test/support/http-app.ts'
import { newNumericId, newUuid, type InstanceId, type RoleBindingId, type WorkspaceId } from '../../base/ids.ts'
import { putInstancePermission } from '../../store/instance-permissions.ts'
import { insertInstance, type NewInstance } from '../../store/instances.ts'
import { assignWorkspaceRole } from '../../store/principals.ts'
import { insertPostgresRoleBinding } from '../../store/postgres-role-bindings.ts'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let dba: TestServicePrincipal
let member: TestServicePrincipal
let asDba: Record<string, string>
let asMember: Record<string, string>
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  dba = await addServicePrincipal(fixture, 'dba')
  member = await addServicePrincipal(fixture, 'member')
  asDba = bearer(await accessTokenOf(fixture.app, dba))
  asMember = bearer(await accessTokenOf(fixture.app, member))
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

async function send(method: Method, url: string, payload?: object, headers: Record<string, string> = asDba) {
  const answer = await fixture.app.inject({ method, url, headers, ...(payload && { payload }) })
  return { status: answer.statusCode, body: answer.json() }
}

async function addInstance(change: Partial<NewInstance> = {}): Promise<NewInstance> {
  const instance: NewInstance = {
    id: newUuid<InstanceId>(),
    name: `i-${randomUUID()}`,
    workspaceId: fixture.workspaceId,
    kind: 'managed',
    engine: 'postgres',
    state: 'AVAILABLE',
    defaultDatabase: 'databricks_postgres',
    creatorId: dba.id,
    ...change,
  }
  await insertInstance(fixture.deps.store.db, instance)
  return instance
}

/** An external instance whose admin data source was checked, or never was. */
async function addExternal(ok: boolean | null, change: Partial<NewInstance> = {}): Promise<NewInstance> {
  const instance = await addInstance({ kind: 'external', ...change })
  await fixture.deps.store.db
    .insertInto('data_source')
    .values({
      id: newUuid(),
      instance_id: instance.id,
      type: 'admin',
      name: 'admin',
      host: 'db.test',
      port: 5432,
      database: 'app',
      username: 'u',
      tls_mode: 'verify-full',
      last_check_ok: ok,
      last_checked_at: ok === null ? null : new Date(),
    })
    .execute()
  return instance
}

const instances = '/api/2.0/database/instances'
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())

describe('instances of the compatible API', () => {
  it('are managed ones and external ones, these with a state from their last check', async () => {
    const good = await addExternal(true)
    const away = await addExternal(false)
    const untested = await addExternal(null)
    const failed = await addInstance({ state: 'FAILED' })
    const stateOf = async ({ name }: NewInstance, headers = asDba) =>
      (await send('GET', `${instances}/${name}`, undefined, headers)).body.state
    expect(await stateOf(good)).toBe('AVAILABLE')
    expect(await stateOf(away)).toBe('STOPPED')
    expect(await stateOf(away, asMember)).toBe('STOPPED')
    expect(await stateOf(untested)).toBe('AVAILABLE')
    expect(await stateOf(failed)).toBe('STOPPED')
  })

  it('leave out other engines and what was deleted, by name, by uid and in lists', async () => {
    const mysql = await addInstance({ kind: 'external', engine: 'mysql' })
    const deleted = await addExternal(true)
    await send('DELETE', `${instances}/${deleted.name}`)
    for (const { name, id } of [mysql, deleted]) {
      expect(await send('GET', `${instances}/${name}`)).toMatchObject({ status: 404 })
      expect(await send('GET', `${instances}:findByUid?uid=${id}`)).toMatchObject({ status: 404 })
      expect(await send('PATCH', `${instances}/${name}?update_mask=stopped`, { stopped: true })).toMatchObject({
        status: 404,
      })
      expect(await send('GET', `/api/2.0/permissions/database-instances/${name}`)).toMatchObject({ status: 404 })
    }
    const { body } = await send('GET', `${instances}?page_size=100`)
    const names = body.database_instances.map(({ name }: { name: string }) => name)
    expect(names).not.toContain(mysql.name)
    expect(names).not.toContain(deleted.name)
  })

  it('of another workspace are not found, not even by their uid', async () => {
    const elsewhere = newNumericId<WorkspaceId>()
    const workspace = { id: elsewhere, name: 'elsewhere', gateway_domain: 'elsewhere.localhost' }
    await fixture.deps.store.db.insertInto('workspace').values(workspace).execute()
    const { id, name } = await addInstance({ workspaceId: elsewhere })
    expect(await send('GET', `${instances}/${name}`)).toMatchObject({ status: 404 })
    expect(await send('GET', `${instances}:findByUid?uid=${id}`)).toMatchObject({ status: 404 })
    expect(await send('GET', `${instances}:findByUid?uid=none`)).toMatchObject({ status: 404 })
  })

  it('come in pages of which none but the last lacks a token, and none is empty', async () => {
    await addInstance()
    await addInstance()
    const all: string[] = []
    let token = ''
    do {
      const { body } = await send('GET', `${instances}?page_size=2&page_token=${token}`)
      expect(body.database_instances.length).toBeGreaterThan(0)
      all.push(...body.database_instances.map(({ name }: { name: string }) => name))
      token = body.next_page_token ?? ''
    } while (token !== '')
    const { body } = await send('GET', `${instances}?page_size=1000`)
    expect(all).toEqual(body.database_instances.map(({ name }: { name: string }) => name))
    expect(await send('GET', `${instances}?page_token=nonsense`)).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    })
  })

  it('are made STARTING, with nothing silently left out', async () => {
    const name = `made-${randomUUID()}`
    const made = await send('POST', instances, { name, capacity: 'CU_1', enable_pg_native_login: true, unknown: 1 })
    expect(made).toMatchObject({
      status: 200,
      body: { name, state: 'STARTING', creator: dba.clientId, effective_enable_pg_native_login: true },
    })
    expect(await send('POST', instances, { name: 'copy', parent_instance_ref: { name } })).toMatchObject({
      status: 501,
      body: { error_code: 'NOT_IMPLEMENTED' },
    })
    for (const body of [{}, { name: '' }, { name: 'Upper' }, { name: 'x', capacity: 'CU_3' }]) {
      expect(await send('POST', instances, body), JSON.stringify(body)).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_PARAMETER_VALUE' },
      })
    }
  })

  it('that are external are neither stopped nor started, and keep their settings when a body is lost', async () => {
    const { name } = await addExternal(true)
    expect(await send('PATCH', `${instances}/${name}?update_mask=stopped`, { stopped: true })).toMatchObject({
      status: 400,
    })
    const changed = await send('PATCH', `${instances}/${name}?update_mask=*`, { enable_pg_native_login: true })
    expect(changed).toMatchObject({ status: 200, body: { enable_pg_native_login: true, state: 'AVAILABLE' } })
    const lost = await send('PATCH', `${instances}/${name}?update_mask=*`)
    expect(lost).toMatchObject({ status: 400, body: { message: expect.stringContaining('body has no value') } })
    expect((await send('GET', `${instances}/${name}`)).body).toMatchObject({ enable_pg_native_login: true })
  })

  it('that are external are brought back after a deletion without purge', async () => {
    const { name } = await addExternal(true)
    expect(await send('DELETE', `${instances}/${name}?purge=false`)).toMatchObject({ status: 400 })
    expect(await send('DELETE', `${instances}/${name}`)).toEqual({ status: 200, body: {} })
    expect(await send('GET', `${instances}/${name}`)).toMatchObject({ status: 404 })
    expect(await send('POST', `/v1/instances/${name}:undelete`)).toMatchObject({ status: 200 })
  })
})

describe('CAN_CREATE', () => {
  it('is for Workspace Admins and DBAs, and for whom an admin names; for managed instances alone', async () => {
    const maker = await addServicePrincipal(fixture, 'member')
    const asMaker = bearer(await accessTokenOf(fixture.app, maker))
    const body = { name: `of-maker-${randomUUID()}` }
    expect(await send('POST', instances, body, asMaker)).toMatchObject({ status: 403 })
    expect(await send('POST', '/v1/instanceMakers', { principal: { clientId: maker.clientId } })).toMatchObject({
      status: 403,
    })
    const admin = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'admin')))
    await send('POST', '/v1/instanceMakers', { principal: { clientId: maker.clientId } }, admin)
    expect(await send('POST', instances, body, asMaker)).toMatchObject({ status: 200 })
    const external = {
      kind: 'external',
      name: 'x',
      adminDataSource: { host: '127.0.0.1', username: 'u', password: 'p' },
    }
    expect(await send('POST', '/v1/instances', external, asMaker)).toMatchObject({ status: 403 })
    expect(await send('DELETE', `/v1/instanceMakers/${maker.id}`, undefined, admin)).toMatchObject({ status: 200 })
    expect(await send('POST', instances, { name: 'another' }, asMaker)).toMatchObject({ status: 403 })
    // What he made is his: he is its creator.
    expect(await send('DELETE', `${instances}/${body.name}`, undefined, asMaker)).toMatchObject({ status: 200 })
  })
})

describe('permissions of the compatible API', () => {
  const acl = (name: string) => `/api/2.0/permissions/database-instances/${name}`

  it('are added by PATCH, replaced by PUT, and show who has them', async () => {
    const { name } = await addInstance()
    const other = await addServicePrincipal(fixture)
    const entry = ({ clientId }: TestServicePrincipal, permission_level: string) => ({
      service_principal_name: clientId,
      permission_level,
    })
    await send('PATCH', acl(name), { access_control_list: [entry(member, 'CAN_USE')] })
    await send('PATCH', acl(name), { access_control_list: [entry(other, 'CAN_MANAGE')] })
    const levels = ({ body }: Awaited<ReturnType<typeof send>>) =>
      Object.fromEntries(
        body.access_control_list.map((row: { service_principal_name: string; all_permissions: object[] }) => [
          row.service_principal_name,
          (row.all_permissions[0] as { permission_level: string }).permission_level,
        ]),
      )
    expect(levels(await send('GET', acl(name)))).toEqual({
      [dba.clientId]: 'CAN_MANAGE',
      [member.clientId]: 'CAN_USE',
      [other.clientId]: 'CAN_MANAGE',
    })
    const replaced = await send('PUT', acl(name), { access_control_list: [entry(other, 'CAN_USE')] })
    expect(levels(replaced)).toEqual({ [dba.clientId]: 'CAN_MANAGE', [other.clientId]: 'CAN_USE' })
    const { rows } = await fixture.deps.store.pool.query(
      `select action, detail->>'level' as level from audit_event where target_name = $1 and action like 'instancePermission.%' order by recorded_at`,
      [name],
    )
    expect(rows.map((row) => `${row.action} ${row.level}`).toSorted()).toEqual([
      'instancePermission.grant CAN_MANAGE',
      'instancePermission.grant CAN_USE',
      'instancePermission.grant CAN_USE',
      'instancePermission.revoke CAN_USE',
    ])
  })

  it('are not taken away by a replacement whose body was lost', async () => {
    const { id, name } = await addInstance()
    await putInstancePermission(fixture.deps.store.db, id, member.id, 'use')
    for (const body of [undefined, {}]) expect(await send('PUT', acl(name), body)).toMatchObject({ status: 400 })
    expect((await send('GET', acl(name))).body.access_control_list).toHaveLength(2)
  })

  it('are all granted or none', async () => {
    const { name } = await addInstance()
    const list = [
      { service_principal_name: member.clientId, permission_level: 'CAN_USE' },
      { user_name: 'nobody@main.test', permission_level: 'CAN_USE' },
    ]
    expect(await send('PATCH', acl(name), { access_control_list: list })).toMatchObject({ status: 404 })
    expect((await send('GET', acl(name))).body.access_control_list).toHaveLength(1)
  })

  it.each([
    [{ permission_level: 'CAN_USE' }, 400],
    [{ user_name: 'a', group_name: 'b', permission_level: 'CAN_USE' }, 400],
    [{ group_name: 'b', permission_level: 'CAN_CREATE' }, 400],
    [{ group_name: 'b', permission_level: 'IS_OWNER' }, 400],
    [{ service_principal_name: 'no uuid', permission_level: 'CAN_USE' }, 404],
  ])('refuse %j', async (entry, status) => {
    const { name } = await addInstance()
    expect(await send('PATCH', acl(name), { access_control_list: [entry] })).toMatchObject({ status })
  })

  it('are read and granted by those alone who manage the instance: nobody lifts himself', async () => {
    const { id, name } = await addInstance()
    const lift = { access_control_list: [{ service_principal_name: member.clientId, permission_level: 'CAN_MANAGE' }] }
    expect(await send('PATCH', acl(name), lift, asMember)).toMatchObject({ status: 403 })
    await putInstancePermission(fixture.deps.store.db, id, member.id, 'use')
    expect(await send('PUT', acl(name), lift, asMember)).toMatchObject({ status: 403 })
    expect(await send('GET', acl(name), undefined, asMember)).toMatchObject({ status: 403 })
  })
})

describe('Postgres roles of the compatible API', () => {
  it.each([
    [{ name: 'reader', identity_type: 'PG_ONLY' }, 501],
    [{ name: 'reader' }, 400],
    [{ name: 'reader', identity_type: 'SERVICE_PRINCIPAL' }, 400],
    [{ name: 'nobody@main.test', identity_type: 'USER' }, 404],
    [{ name: 'x', identity_type: 'USER', membership_role: 'PG_WRITE_ALL_DATA' }, 400],
    [{ identity_type: 'USER' }, 400],
  ])('refuse %j before the database is asked', async (body, status) => {
    const { name } = await addInstance()
    expect(await send('POST', `${instances}/${name}/roles`, body)).toMatchObject({ status })
  })
})

describe('credentials of the compatible API', () => {
  it('carry what was asked for: group, lifetime and the time of their end', async () => {
    const { db } = fixture.deps.store
    const { id, name } = await addInstance()
    const groupName = `analysts ${randomUUID()}`
    const group = await addGroup(fixture.deps.store, groupName, [member.id])
    await assignWorkspaceRole(db, { workspaceId: fixture.workspaceId, principalId: group, role: 'member' })
    await insertPostgresRoleBinding(db, {
      id: newUuid<RoleBindingId>(),
      instanceId: id,
      principalId: group,
      roleName: groupName,
      roleOid: '17000',
      systemIdentifier: '1',
      attributes: { createDb: false, createRole: false, bypassRls: false },
      isAdministrator: false,
      loginKeySealed: null,
      createdBy: null,
    })
    const endpoint = `projects/${name}/branches/production/endpoints/primary`
    const url = '/api/2.0/postgres/credentials'
    const scoped = await send('POST', url, { endpoint, group_name: groupName, ttl: '600s' }, asMember)
    expect(scoped.status).toBe(200)
    const claims = claimsOf(scoped.body.token)
    expect(claims).toMatchObject({ grp: group, aud: [`urn:postern:instance:${id}`] })
    expect(claims.exp - claims.iat).toBe(600)
    expect(Date.parse(scoped.body.expire_time)).toBe(claims.exp * 1000)
    const at = new Date(Date.now() + 1_200_000).toISOString()
    const until = claimsOf((await send('POST', url, { endpoint, expire_time: at }, asMember)).body.token)
    expect(until.exp).toBe(Math.floor(Date.parse(at) / 1000))
    for (const wish of [
      { ttl: '299s' },
      { ttl: '3601s' },
      { ttl: '600' },
      { ttl: '600.5s' },
      { ttl: '600s', expire_time: at },
      { expire_time: 'tomorrow' },
      { expire_time: new Date(0).toISOString() },
      { claims: [{ permission_set: 'WRITE' }] },
      { endpoint: name },
    ]) {
      expect(await send('POST', url, { endpoint, ...wish }, asMember), JSON.stringify(wish)).toMatchObject({
        status: 400,
      })
    }
    const notMine = await send('POST', url, { endpoint, group_name: groupName })
    expect(notMine.status).toBe(403)
  })

  it('are for reading alone where READ_ONLY is claimed, or not issued at all', async () => {
    const { name } = await addInstance()
    const ask = (claims: unknown[]) => send('POST', '/api/2.0/database/credentials', { instance_names: [name], claims })
    // It has no read-only data source.
    expect(await ask([{ permission_set: 'READ_ONLY' }])).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    })
    for (const claim of [{}, null, 'READ_ONLY', { permission_set: 'ALL' }]) {
      expect(await ask([claim])).toMatchObject({ body: { message: expect.stringContaining('cannot be honoured') } })
    }
    const table = [{ permission_set: 'READ_ONLY', resources: [{ table_name: 'a.b.c' }] }]
    expect(await ask(table)).toMatchObject({ body: { message: expect.stringContaining('resources of READ_ONLY') } })
  })
})

describe('instances as projects', () => {
  it('have one branch and one endpoint, whose host is the gateway', async () => {
    const { name } = await addInstance({ serverVersion: '18.4' })
    const project = `/api/2.0/postgres/projects/${name}`
    expect(await send('GET', project)).toMatchObject({ body: { name: `projects/${name}`, status: { pg_version: 18 } } })
    const { body } = await send('GET', `${project}/branches`)
    expect(body.branches).toMatchObject([{ name: `projects/${name}/branches/production` }])
    const endpoint = `projects/${name}/branches/production/endpoints/primary`
    const status = { current_state: 'ACTIVE', hosts: { host: `${name}.main.localhost` } }
    expect(await send('GET', `/api/2.0/postgres/${endpoint}`)).toMatchObject({ body: { name: endpoint, status } })
    expect((await send('GET', `${project}/branches/production/endpoints`)).body.endpoints).toHaveLength(1)
    for (const path of ['branches/other', 'branches/production/endpoints/other', 'branches/production/roles/none']) {
      expect(await send('GET', `${project}/${path}`), path).toMatchObject({ status: 404 })
    }
    expect((await send('GET', '/api/2.0/postgres/projects?page_size=1')).body).toMatchObject({
      projects: [expect.anything()],
      next_page_token: expect.any(String),
    })
  })
})

describe('what the compatible API has and Postern has not', () => {
  it.each([
    ['GET', '/api/2.0/database/catalogs/c'],
    ['POST', '/api/2.0/database/synced_tables'],
    ['GET', '/api/2.0/database/instances/x/catalogs'],
    ['POST', '/api/2.0/database/instances/x/failover'],
    ['PATCH', '/api/2.0/database/instances/x/upgrade'],
    ['POST', '/api/2.0/postgres/projects'],
    ['DELETE', '/api/2.0/postgres/projects/x'],
    ['POST', '/api/2.0/postgres/projects/x/branches'],
    ['POST', '/api/2.0/postgres/projects/x/branches/production/roles'],
    ['GET', '/api/2.0/postgres/projects/x/operations/y'],
  ] as const)('is refused as not implemented: %s %s', async (method, url) => {
    expect(await send(method, url)).toMatchObject({
      status: 501,
      body: { error_code: 'NOT_IMPLEMENTED', message: expect.stringContaining('Postern does not offer this') },
    })
  })

  it.each(['/api/2.0/clusters/list', '/api/2.1/jobs', '/api/2.0/database/nonsense', '/api/'])(
    'is not there at %s, in JSON',
    async (url) => {
      const { status, body } = await send('GET', url)
      expect(status).toBe(404)
      expect(Object.keys(body)).toEqual(['error_code', 'message'])
    },
  )

  it('drops usage reports, and says which workspace a token is for', async () => {
    expect(await send('POST', '/telemetry-ext', { uploadTime: 1, protoLogs: ['{}', '{}'] })).toEqual({
      status: 200,
      body: { errors: [], numProtoSuccess: 2 },
    })
    const scope = { workspace_id: Number(fixture.workspaceId) }
    expect((await send('GET', '/api/2.0/tokens/introspect')).body).toEqual({
      principal_context: { authentication_scope: scope },
    })
  })
})
