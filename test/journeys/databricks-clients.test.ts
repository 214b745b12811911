import { createLakebasePool, generateDatabaseCredential } from '@databricks/lakebase'
import { ApiError, WorkspaceClient } from '@databricks/sdk-experimental'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane, NewServicePrincipal } from '../support/control-plane.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'

const database = '/api/2.0/database/instances'

/** The unmodified SDK and the unmodified password provider against a running Postern, from the first request to rows of a table. */
describe('clients of Databricks, unmodified', () => {
  let postern: RunningPostern
  let admin: ControlPlane
  let dba: NewServicePrincipal
  let member: NewServicePrincipal
  let sdk: WorkspaceClient
  let memberSdk: WorkspaceClient

  const sdkOf = ({ clientId, clientSecret }: NewServicePrincipal) =>
    new WorkspaceClient({ host: postern.ready.httpUrl, clientId, clientSecret, authType: 'oauth-m2m' })

  beforeAll(async () => {
    postern = await startPostern()
    admin = await postern.asAdmin()
    dba = await admin.createServicePrincipal('deploys databases', 'dba')
    member = await admin.createServicePrincipal('an application')
    sdk = sdkOf(dba)
    memberSdk = sdkOf(member)
    // The life of one instance is what the tests below are about, in their order.
    const waiter = await sdk.database.createDatabaseInstance({
      database_instance: { name: 'orders', capacity: 'CU_1', custom_tags: [{ key: 'Team', value: 'shop' }] },
    })
    expect(waiter).toMatchObject({ name: 'orders', state: 'STARTING', capacity: 'CU_1' })
    await waiter.wait()
  }, 90_000)
  afterAll(() => postern?.stop())

  test('an instance that is created becomes AVAILABLE and says how it is', async () => {
    const instance = await sdk.database.getDatabaseInstance({ name: 'orders' })
    expect(instance).toMatchObject({
      name: 'orders',
      state: 'AVAILABLE',
      creator: dba.clientId,
      pg_version: expect.stringMatching(/^PG_VERSION_\d\d$/),
      read_write_dns: 'orders.postern.localhost',
      effective_capacity: 'CU_1',
      effective_custom_tags: [{ key: 'Team', value: 'shop' }],
      effective_enable_pg_native_login: false,
      effective_enable_readable_secondaries: false,
      effective_stopped: false,
    })
    expect(instance).not.toHaveProperty('custom_tags')
    expect(await sdk.database.findDatabaseInstanceByUid({ uid: instance.uid! })).toMatchObject({ name: 'orders' })
  })

  test('whoami names the identity as its Postgres role is named', async () => {
    const me = await memberSdk.currentUser.me()
    expect(me).toMatchObject({ id: member.id, userName: member.clientId, active: true })
  })

  test('[D2-036] [D2-037] a credential that the SDK fetched logs in to the database', async () => {
    const { token, expiration_time } = await sdk.database.generateDatabaseCredential({
      request_id: crypto.randomUUID(),
      instance_names: ['orders'],
    })
    expect(Date.parse(expiration_time!) - Date.now()).toBeGreaterThan(3_500_000)
    const client = new pg.Client({
      host: postern.ready.gatewayHost,
      port: postern.ready.gatewayPort,
      user: dba.clientId,
      password: token!,
      database: 'databricks_postgres',
      ssl: { ca: postern.ca },
    })
    await client.connect()
    await client.query('create table item (id int primary key)')
    expect((await client.query('select current_user, count(*)::int from item')).rows).toEqual([
      { current_user: dba.clientId, count: 0 },
    ])
    await client.end()
  })

  test('a Postgres role that the SDK made may do what it was given and nothing else', async () => {
    const made = await sdk.database.createDatabaseInstanceRole({
      instance_name: 'orders',
      database_instance_role: {
        name: member.clientId,
        identity_type: 'SERVICE_PRINCIPAL',
        attributes: { createdb: true },
      },
    })
    const attributes = { createdb: true, createrole: false, bypassrls: false }
    expect(made).toMatchObject({ name: member.clientId, identity_type: 'SERVICE_PRINCIPAL', attributes })
    const role = await sdk.database.getDatabaseInstanceRole({ instance_name: 'orders', name: member.clientId })
    expect(role.effective_attributes).toEqual(attributes)
    const names: (string | undefined)[] = []
    for await (const { name } of sdk.database.listDatabaseInstanceRoles({ instance_name: 'orders', page_size: 1 })) {
      names.push(name)
    }
    expect(names).toEqual([dba.clientId, member.clientId].toSorted())
  })

  test('the password provider of Lakebase fills a pool by itself', async () => {
    const pool = createLakebasePool({
      workspaceClient: memberSdk,
      endpoint: 'projects/orders/branches/production/endpoints/primary',
      host: postern.ready.gatewayHost,
      port: postern.ready.gatewayPort,
      user: member.clientId,
      database: 'databricks_postgres',
      ssl: { ca: postern.ca },
    })
    const role =
      'select rolcreatedb, rolcreaterole, rolsuper, rolreplication from pg_roles where rolname = current_user'
    expect((await pool.query(role)).rows).toEqual([
      { rolcreatedb: true, rolcreaterole: false, rolsuper: false, rolreplication: false },
    ])
    await pool.end()
    const endpoint = 'projects/orders/branches/elsewhere/endpoints/primary'
    await expect(generateDatabaseCredential(memberSdk, { endpoint })).rejects.toMatchObject({ statusCode: 404 })
  })

  test('a Postgres role is changed as far as the body says, and dropped once', async () => {
    const role = `${database}/orders/roles/${member.clientId}`
    const changed = await admin.expect('PATCH', role, { membership_role: 'DATABRICKS_SUPERUSER' })
    expect(changed).toMatchObject({ membership_role: 'DATABRICKS_SUPERUSER', attributes: { createdb: true } })
    const plain = await admin.expect('PATCH', role, { membership_role: null, attributes: { createdb: false } })
    expect(plain).toMatchObject({ attributes: { createdb: false } })
    expect(plain).not.toHaveProperty('membership_role')
    expect((await admin.send('PATCH', role)).status).toBe(400)
    await sdk.database.deleteDatabaseInstanceRole({ instance_name: 'orders', name: member.clientId })
    expect((await admin.send('DELETE', role)).status).toBe(404)
    expect(await admin.send('DELETE', `${role}?allow_missing=true`)).toMatchObject({ status: 200, body: {} })
  })

  test('a list comes page by page to its end', async () => {
    const other = await sdk.database.createDatabaseInstance({ database_instance: { name: 'archive' } })
    expect(other.name).toBe('archive')
    const names: (string | undefined)[] = []
    for await (const { name } of sdk.database.listDatabaseInstances({ page_size: 1 })) names.push(name)
    expect(names).toEqual(['archive', 'orders'])
    await sdk.database.deleteDatabaseInstance({ name: 'archive', purge: true })
  })

  test('an update whose body was lost on the way changes nothing and says so', async () => {
    const update = sdk.database.updateDatabaseInstance({
      name: 'orders',
      update_mask: 'enable_pg_native_login',
      database_instance: { name: 'orders', enable_pg_native_login: true },
    })
    await expect(update).rejects.toMatchObject({
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: expect.stringContaining('update_mask names enable_pg_native_login but body has no value'),
    })
  })

  test('native login is switched on by an update with a mask, and nothing else is', async () => {
    const url = `${database}/orders?update_mask=enable_pg_native_login`
    const changed = await admin.expect('PATCH', url, { name: 'orders', enable_pg_native_login: true, capacity: 'CU_8' })
    expect(changed).toMatchObject({ effective_enable_pg_native_login: true, effective_capacity: 'CU_1' })
    // Clients leave out what is false: the mask says that it is meant.
    expect(await admin.expect('PATCH', url, { name: 'orders' })).toMatchObject({ enable_pg_native_login: false })
  })

  test('a refusal has the error code that the SDK reads', async () => {
    const codeOf = (work: Promise<unknown>) =>
      work.then(
        () => 'none',
        (thrown: unknown) => (thrown instanceof ApiError ? `${thrown.statusCode} ${thrown.errorCode}` : String(thrown)),
      )
    expect(await codeOf(sdk.database.getDatabaseInstance({ name: 'nowhere' }))).toMatch(/^404 /)
    expect(await codeOf(sdk.database.getDatabaseCatalog({ name: 'c' }))).toBe('501 NOT_IMPLEMENTED')
    expect(await codeOf(memberSdk.database.deleteDatabaseInstance({ name: 'orders' }))).toBe('403 PERMISSION_DENIED')
    const again = sdk.database.createDatabaseInstance({ database_instance: { name: 'orders' } })
    expect(await codeOf(again)).toMatch(/^409 /)
    expect(await codeOf(sdk.database.deleteDatabaseInstance({ name: 'orders', purge: false }))).toMatch(/^400 /)
  })

  test('CAN_MANAGE lets a member stop and start the instance', async () => {
    const application = await postern.asServicePrincipal(member.clientId, member.clientSecret)
    const stop = () =>
      application.send('PATCH', `${database}/orders?update_mask=stopped`, { name: 'orders', stopped: true })
    expect((await stop()).status).toBe(403)
    const object = { request_object_type: 'database-instances', request_object_id: 'orders' }
    const { access_control_list: list } = await sdk.permissions.set({
      ...object,
      access_control_list: [{ service_principal_name: member.clientId, permission_level: 'CAN_MANAGE' }],
    })
    expect(list).toContainEqual({
      service_principal_name: member.clientId,
      display_name: member.clientId,
      all_permissions: [{ permission_level: 'CAN_MANAGE', inherited: false }],
    })
    expect(await sdk.permissions.get(object)).toMatchObject({ access_control_list: list })
    const { permission_levels: levels } = await sdk.permissions.getPermissionLevels(object)
    expect(levels?.map(({ permission_level }) => permission_level)).toEqual(['CAN_CREATE', 'CAN_USE', 'CAN_MANAGE'])
    expect((await stop()).status).toBe(200)
    await admin.waitForInstance('orders', 'STOPPED')
    expect(await sdk.database.getDatabaseInstance({ name: 'orders' })).toMatchObject({ effective_stopped: true })
    await application.expect('PATCH', `${database}/orders?update_mask=stopped`, { name: 'orders', stopped: false })
    await admin.waitForInstance('orders', 'AVAILABLE')
  })

  test('a deleted instance is gone, and its old uid finds nothing', async () => {
    const { uid } = await sdk.database.getDatabaseInstance({ name: 'orders' })
    await sdk.database.deleteDatabaseInstance({ name: 'orders' })
    await expect.poll(async () => (await admin.send('GET', `${database}/orders`)).status, { timeout: 20_000 }).toBe(404)
    expect((await admin.send('GET', `${database}:findByUid?uid=${uid}`)).status).toBe(404)
  })
})
