import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../../../test/support/http-app.ts'
import { createGroup } from '../../../identity/create-group.ts'
import { createUser } from '../../../identity/create-user.ts'
import { createWorkspace } from '../../../identity/create-workspace.ts'
import { assignToWorkspace } from '../../../identity/workspace-assignments.ts'

const scim = '/api/2.0/preview/scim/v2'
const core = 'urn:ietf:params:scim:schemas:core:2.0'
const patchSchema = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
let postgres: EmbeddedPostgres
let fixture: HttpFixture
let provisioner: string

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  provisioner = await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'admin'))
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

async function send(method: Method, path: string, body?: object, accessToken = provisioner) {
  const answer = await fixture.app.inject({
    method,
    url: scim + path,
    headers: { ...bearer(accessToken), ...(body && { 'content-type': 'application/scim+json' }) },
    ...(body && { payload: JSON.stringify(body) }),
  })
  return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? null : answer.json() }
}

const patch = (path: string, ...Operations: object[]) => send('PATCH', path, { schemas: [patchSchema], Operations })
const query = (path: string, values: Record<string, string>) =>
  send('GET', `${path}?${new URLSearchParams(values).toString()}`)
const namesOf = (list: { Resources: { displayName: string }[] }) => list.Resources.map(({ displayName }) => displayName)

async function addUser(userName: string, more: object = {}) {
  const answer = await send('POST', '/Users', { schemas: [`${core}:User`], userName, ...more })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body as { id: string; userName: string }
}

async function addGroup(displayName: string, ...members: { id: string }[]) {
  const body = { schemas: [`${core}:Group`], displayName, members: members.map(({ id }) => ({ value: id })) }
  const answer = await send('POST', '/Groups', body)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body as { id: string }
}

const memberIds = async (groupId: string) =>
  (await send('GET', `/Groups/${groupId}`)).body.members.map(({ value }: { value: string }) => value)

it('tells programs and people who they are, under the name of their Postgres roles, and which workspace answers', async () => {
  const program = await addServicePrincipal(fixture)
  const asProgram = await send('GET', '/Me', undefined, await accessTokenOf(fixture.app, program))
  expect(asProgram.headers['x-databricks-org-id']).toBe(fixture.workspaceId)
  expect(asProgram.body).toMatchObject({
    schemas: [`${core}:User`],
    id: program.id,
    userName: program.clientId,
    displayName: 'fixture',
    active: true,
    groups: [],
  })
})

it('keeps a user as Okta sends it: looked for, created, changed, deactivated by PATCH and by PUT, deleted', async () => {
  const userName = 'ann.okta@acme.test'
  const missing = await query('/Users', { filter: `userName eq "${userName}"`, startIndex: '1', count: '100' })
  expect(missing.body).toEqual({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults: 0,
    startIndex: 1,
    itemsPerPage: 0,
    Resources: [],
  })
  const okta = {
    schemas: [`${core}:User`],
    userName,
    name: { givenName: 'Ann', familyName: 'Okta' },
    emails: [{ primary: true, value: userName, type: 'work' }],
    displayName: 'Ann Okta',
    locale: 'en-US',
    externalId: '00ujl29u0le5T6Aj10h7',
    groups: [],
    password: 'must-not-be-kept-1mz050nq',
    active: true,
  }
  const created = await send('POST', '/Users', okta)
  expect(created.status).toBe(201)
  const { id } = created.body
  expect(created.headers['location']).toBe(`${scim}/Users/${id}`)
  expect(created.body).toMatchObject({
    userName,
    displayName: 'Ann Okta',
    externalId: okta.externalId,
    name: { givenName: 'Ann', familyName: 'Okta' },
    emails: [{ value: userName, type: 'work', primary: true }],
    active: true,
    meta: { resourceType: 'User' },
  })
  expect(JSON.stringify(created.body)).not.toContain('1mz050nq')
  expect((await send('POST', '/Users', okta)).body).toMatchObject({ status: '409', scimType: 'uniqueness' })

  expect((await send('PUT', `/Users/${id}`, { ...okta, displayName: 'Ann B', active: false })).body).toMatchObject({
    displayName: 'Ann B',
    active: false,
  })
  const back = await patch(`/Users/${id}`, { op: 'replace', value: { active: true } })
  expect(back.body).toMatchObject({ active: true, displayName: 'Ann B' })
  expect((await send('DELETE', `/Users/${id}`)).status).toBe(204)
  const gone = await send('GET', `/Users/${id}`)
  expect(gone.body).toMatchObject({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '404' })
})

it('keeps a user as Entra ID sends it: capital operations, booleans as text, paths with filters and extensions', async () => {
  const { id } = await addUser('bob.entra@acme.test', {
    externalId: 'bob.entra',
    active: 'True',
    displayName: 'Bob',
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { department: 'bob' },
    meta: { resourceType: 'User' },
    roles: [],
  })
  const entra = await patch(
    `/Users/${id}`,
    { op: 'Replace', path: 'displayName', value: 'Robert Entra' },
    { op: 'Add', path: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager', value: { value: '7' } },
    { op: 'Replace', path: 'emails[type eq "work"].value', value: 'other@acme.test' },
    { op: 'Replace', path: 'name.familyName', value: 'Entra' },
    { op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '+1' },
    { op: 'Replace', path: 'active', value: 'False' },
  )
  expect(entra.body).toMatchObject({ displayName: 'Robert Entra', active: false, userName: 'bob.entra@acme.test' })
  const dotted = { op: 'Replace', value: { 'name.givenName': 'Rob', active: 'True', externalId: 'b2' } }
  expect((await patch(`/Users/${id}`, dotted)).body).toMatchObject({
    displayName: 'Rob Entra',
    active: true,
    externalId: 'b2',
  })
  expect((await patch(`/Users/${id}`, { op: 'Remove', path: 'externalId' })).body).not.toHaveProperty('externalId')
})

it.each([
  ['an operation that there is none of', { op: 'move', path: 'active' }, 'invalidSyntax'],
  ['an attribute that no user has', { op: 'replace', path: 'password2', value: 'x' }, 'invalidPath'],
  ['a path that cannot be read', { op: 'replace', path: 'emails[type eq', value: 'x' }, 'invalidPath'],
  ['a state that is no boolean', { op: 'replace', path: 'active', value: 'maybe' }, 'invalidValue'],
  ['a user name that is no e-mail', { op: 'replace', path: 'userName', value: 'bob' }, 'invalidValue'],
  ['a user name taken away', { op: 'remove', path: 'userName' }, 'mutability'],
  ['a removal of nothing', { op: 'remove' }, 'noTarget'],
])('refuses %s, and changes nothing', async (what, operation, scimType) => {
  const { id } = await addUser(`${what.replaceAll(' ', '-')}@refused.test`, { displayName: 'Before' })
  const answer = await patch(`/Users/${id}`, { op: 'replace', path: 'displayName', value: 'After' }, operation)
  expect(answer.body).toMatchObject({ status: '400', scimType })
  expect((await send('GET', `/Users/${id}`)).body.displayName).toBe('Before')
})

it('finds users by what filters say', async () => {
  const [ada, ben] = [
    await addUser('Ada@filter.test', { displayName: 'Ada 100%', externalId: 'x-1' }),
    await addUser('ben@filter.test', { displayName: 'Ben', active: false }),
  ]
  const group = await addGroup('filtered', ada)
  const find = async (filter: string) => namesOf((await query('/Users', { filter })).body)
  const here = 'userName ew "@filter.test"'
  expect(await find('userName eq "ADA@FILTER.TEST"')).toEqual(['Ada 100%'])
  expect(await find('externalId eq "x-1"')).toEqual(['Ada 100%'])
  expect(await find('externalId eq "X-1"')).toEqual([])
  expect(await find(here)).toEqual(['Ada 100%', 'Ben'])
  expect(await find(`${here} and active eq false`)).toEqual(['Ben'])
  expect(await find(`${here} and active eq "True"`)).toEqual(['Ada 100%'])
  expect(await find(`${here} and not (externalId pr)`)).toEqual(['Ben'])
  expect(await find(`${here} and externalId ne "x-1"`)).toEqual(['Ben'])
  expect(await find(`${here} and displayName co "100%"`)).toEqual(['Ada 100%'])
  expect(await find(`${here} and displayName co "1_0"`)).toEqual([])
  expect(await find(`id eq "${ben.id}" or id eq "${ada.id}"`)).toEqual(['Ada 100%', 'Ben'])
  expect(await find(`groups.value eq "${group.id}"`)).toEqual(['Ada 100%'])
  expect(await find('emails[type eq "work" and value eq "ben@filter.test"]')).toEqual(['Ben'])
  expect(await find(`${here} and meta.created gt "2100-01-01T00:00:00Z"`)).toEqual([])
  for (const filter of ['userName', 'password eq "x"', 'userName gt "a"', 'groups co "x"', "userName eq 'x'"]) {
    expect((await query('/Users', { filter })).body, filter).toMatchObject({ status: '400', scimType: 'invalidFilter' })
  }
  const injected = `userName eq "x' or true --"`
  expect(await find(injected)).toEqual([])
})

it('pages by startIndex and count, and puts positions right that are out of range', async () => {
  for (let number = 1; number <= 5; number++)
    await addUser(`page${number}@page.test`, { displayName: `Page ${number}` })
  const page = async (startIndex: string, count: string) =>
    (await query('/Users', { filter: 'userName ew "@page.test"', startIndex, count })).body
  const second = await page('3', '2')
  expect(second).toMatchObject({ totalResults: 5, startIndex: 3, itemsPerPage: 2 })
  expect(namesOf(second)).toEqual(['Page 3', 'Page 4'])
  expect(await page('0', '1')).toMatchObject({ startIndex: 1, itemsPerPage: 1 })
  expect(await page('-7', '-1')).toMatchObject({ startIndex: 1, itemsPerPage: 0, totalResults: 5, Resources: [] })
  expect(await page('6', '10')).toMatchObject({ itemsPerPage: 0, totalResults: 5 })
  const chosen = await query('/Users', {
    filter: 'userName eq "page1@page.test"',
    attributes: 'userName,name.givenName',
  })
  expect(Object.keys(chosen.body.Resources[0]).toSorted()).toEqual(['id', 'name', 'schemas', 'userName'])
})

it('keeps groups and their members as identity providers send them', async () => {
  const [one, two, three] = [
    await addUser('one@members.test'),
    await addUser('two@members.test'),
    await addUser('three@members.test'),
  ]
  const { id } = await addGroup('Engineers', one)
  const nested = await addGroup('Contractors', three)
  const path = `/Groups/${id}`
  expect((await send('GET', path)).body).toMatchObject({ displayName: 'Engineers', meta: { resourceType: 'Group' } })
  expect((await send('GET', `${path}?excludedAttributes=members`)).body).not.toHaveProperty('members')

  const entra = await patch(path, { op: 'Add', path: 'members', value: [{ $ref: null, value: two.id }] })
  expect(entra.status).toBe(204)
  expect(await memberIds(id)).toEqual([one.id, two.id].toSorted())
  await patch(path, { op: 'Remove', path: 'members', value: [{ $ref: null, value: one.id }] })
  expect(await memberIds(id)).toEqual([two.id])
  await patch(
    path,
    { op: 'remove', path: `members[value eq "${two.id}"]` },
    { op: 'add', path: 'members', value: [{ value: one.id, display: 'one' }, { value: nested.id }] },
  )
  expect(await memberIds(id)).toEqual([one.id, nested.id].toSorted())
  const okta = { op: 'replace', value: { id, displayName: 'Engineering' } }
  expect((await patch(path, okta)).status).toBe(204)
  await patch(path, { op: 'replace', path: 'members', value: [{ value: two.id }] })
  expect((await send('GET', path)).body).toMatchObject({ displayName: 'Engineering', members: [{ value: two.id }] })
  const found = await query('/Groups', { filter: `displayName eq "Engineering" and members.value eq "${two.id}"` })
  expect(namesOf(found.body)).toEqual(['Engineering'])
  expect((await send('GET', `/Users/${two.id}`)).body.groups).toEqual([
    { display: 'Engineering', type: 'direct', value: id, $ref: `Groups/${id}` },
  ])
  await patch(path, { op: 'remove', path: 'members' })
  expect(await memberIds(id)).toEqual([])
  expect((await send('PUT', path, { displayName: 'Engineering', members: [{ value: one.id }] })).status).toBe(200)
  expect(await memberIds(id)).toEqual([one.id])
  expect((await send('DELETE', path)).status).toBe(204)
  expect((await send('GET', `/Users/${one.id}`)).status).toBe(200)
})

it('refuses a member that is not there and a circle of groups, as wrong values', async () => {
  const outer = await addGroup('outer')
  const inner = await addGroup('inner', outer)
  const add = (id: string) => patch(`/Groups/${outer.id}`, { op: 'add', path: 'members', value: [{ value: id }] })
  expect((await add('999')).body).toMatchObject({ status: '400', scimType: 'invalidValue' })
  expect((await add(inner.id)).body).toMatchObject({ status: '400', scimType: 'invalidValue' })
  expect((await add('x')).body).toMatchObject({ status: '400', scimType: 'invalidValue' })
  expect((await send('GET', '/Groups/999')).status).toBe(404)
  expect((await send('GET', `/Users/${outer.id}`)).status).toBe(404)
})

it('creates, finds, deactivates and deletes a service principal', async () => {
  const created = await send('POST', '/ServicePrincipals', {
    displayName: 'loader',
    active: true,
    applicationId: 'mine',
  })
  const { id, applicationId } = created.body
  expect(applicationId).toMatch(/^[0-9a-f-]{36}$/)
  const found = await query('/ServicePrincipals', { filter: `applicationId eq "${applicationId}"` })
  expect(found.body.Resources).toMatchObject([{ id, displayName: 'loader', active: true }])
  const path = `/ServicePrincipals/${id}`
  expect((await patch(path, { op: 'replace', path: 'active', value: false })).body).toMatchObject({ active: false })
  expect((await send('DELETE', path)).status).toBe(204)
})

it('takes access from a user whose deletion has to wait for his Postgres roles', async () => {
  const user = await addUser('bound@acme.test')
  await fixture.deps.store.pool.query(
    `insert into instance (id, workspace_id, name, kind, engine, state, default_database)
     values ('00000000-0000-4000-8000-000000000001', $1, 'shop', 'external', 'postgres', 'AVAILABLE', 'shop')`,
    [fixture.workspaceId],
  )
  await fixture.deps.store.pool.query(
    `insert into postgres_role_binding (id, instance_id, principal_id, role_name, role_oid, system_identifier)
     values ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', $1, 'bound', 1, 1)`,
    [user.id],
  )
  const refused = await send('DELETE', `/Users/${user.id}`)
  expect(refused.body).toMatchObject({ status: '409', detail: expect.stringContaining('deactivated') })
  expect((await send('GET', `/Users/${user.id}`)).body).toMatchObject({ active: false })
})

it('is closed to members, and read-only to DBAs', async () => {
  const tokenOf = async (role: 'member' | 'dba') => accessTokenOf(fixture.app, await addServicePrincipal(fixture, role))
  const [member, dba] = [await tokenOf('member'), await tokenOf('dba')]
  const user = { userName: 'x@acme.test' }
  expect((await send('GET', '/Users', undefined, member)).body).toMatchObject({ status: '403' })
  expect((await send('POST', '/Users', user, member)).status).toBe(403)
  expect((await send('GET', '/Groups', undefined, dba)).status).toBe(200)
  expect((await send('POST', '/Users', user, dba)).status).toBe(403)
  expect((await send('GET', '/Me', undefined, 'nonsense')).status).toBe(401)
})

it('says what it offers, in the media type that is asked for', async () => {
  const config = await send('GET', '/ServiceProviderConfig')
  expect(config.body).toMatchObject({ patch: { supported: true }, bulk: { supported: false } })
  expect((await send('GET', '/ResourceTypes')).body.Resources).toHaveLength(3)
  expect((await send('GET', `/Schemas/${core}:Group`)).body).toMatchObject({ name: 'Group' })
  const headers = { ...bearer(provisioner), accept: 'application/scim+json' }
  const answer = await fixture.app.inject({ url: `${scim}/Me`, headers })
  expect(answer.headers['content-type']).toBe('application/scim+json; charset=utf-8')
  const failed = await fixture.app.inject({ url: `${scim}/Users/1`, headers })
  expect([failed.statusCode, failed.headers['content-type']]).toEqual([404, 'application/scim+json; charset=utf-8'])
})

it('takes in no user whom another workspace made, and shows no groups that he has there', async () => {
  const { deps, admin } = fixture
  const places = { hosts: ['elsewhere.test'], gatewayDomain: 'elsewhere.test' }
  const { id: workspaceId } = await createWorkspace(deps, admin, { name: 'elsewhere', ...places })
  const there = { ...admin, workspaceId }
  const { id } = await createUser(deps, there, { email: 'eve@elsewhere.test', workspaceRole: 'member' })
  await createGroup(deps, there, { displayName: 'Merger with Acme', workspaceRole: 'member', memberIds: [id] })
  expect(await send('POST', '/Users', { userName: 'eve@elsewhere.test' })).toMatchObject({ status: 409 })
  expect((await send('GET', `/Users/${id}`)).status).toBe(404)
  await assignToWorkspace(deps, admin, { id }, 'member')
  const here = await addGroup('Guests', { id })
  const { groups } = (await send('GET', `/Users/${id}`)).body
  expect(groups).toMatchObject([{ display: 'Guests', value: here.id }])
})

it('refuses a filter by what every object has, and a name that no directory shows', async () => {
  expect((await query('/Users', { filter: 'constructor eq "x"' })).body).toMatchObject({ scimType: 'invalidFilter' })
  for (const displayName of ['', 'x'.repeat(256), 'two\nlines']) {
    expect((await send('POST', '/ServicePrincipals', { displayName })).status, displayName).toBe(400)
  }
})

it('takes thousands of members in one request, and looks for all of them at once', async () => {
  const person = await addUser('one-of-many@acme.test')
  const crowd = await addGroup('Crowd', person)
  const unknown = Array.from({ length: 33_000 }, (_, number) => ({ value: String(10_000_000_000_000 + number) }))
  const { status, body } = await send('PUT', `/Groups/${crowd.id}`, { displayName: 'Crowd', members: unknown })
  expect({ status, body }).toMatchObject({ status: 400, body: { scimType: 'invalidValue' } })
  expect(await memberIds(crowd.id)).toEqual([person.id])
  const change = await patch(`/Groups/${crowd.id}`, { op: 'remove', path: 'members', value: unknown })
  expect(change.status).toBe(204)

  const { pool } = fixture.deps.store
  await pool.query(
    `with made as (
       insert into principal (id, kind, display_name, home_workspace_id)
       select 20000000000000 + n, 'user', 'Many', $1::bigint from generate_series(1, 33000) n returning id
     ) insert into user_account (principal_id, email) select id, 'many-' || id || '@acme.test' from made`,
    [fixture.workspaceId],
  )
  const many = Array.from({ length: 33_000 }, (_, number) => ({ value: String(20_000_000_000_001 + number) }))
  expect((await patch(`/Groups/${crowd.id}`, { op: 'add', path: 'members', value: many })).status).toBe(204)
  const { rows } = await pool.query('select count(*)::int from group_member where group_id = $1', [crowd.id])
  expect(rows).toEqual([{ count: 33_001 }])
})
