import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type FakeUpstream, startFakeUpstream } from '../../test/support/fake-upstream.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'
import { createTestAuthority, type TestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import { DATA_SOURCE_FIELDS } from '../contract/data-sources.ts'
import type { ChangedInstance, Instance } from '../contract/instances.ts'
import { noTunnels } from '../dialer/ssh-tunnels.ts'
import { PosternError } from '../base/errors.ts'
import { openDataSourceSecrets, routeOf } from '../access/data-source-secrets.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'
import { listDataSources } from '../store/data-sources.ts'
import { findInstance } from '../store/instances.ts'

let postgres: EmbeddedPostgres
let upstream: UpstreamPostgres
let fixture: HttpFixture
let trap: FakeUpstream
let authority: TestAuthority
let headers: Record<string, string>
let tlsFolder: string
const password = 'data source password'
const hostKey = (letter: string) => `SHA256:${letter.repeat(43)}`

beforeAll(async () => {
  tlsFolder = mkdtempSync(join(tmpdir(), 'tls-files-'))
  postgres = await startEmbeddedPostgres()
  upstream = await startUpstreamPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] })
  const superuser = await upstream.superuser()
  await superuser.query(`create role postern login createrole createdb password '${password}'`)
  await superuser.query(`create role reader login password '${password}'; grant pg_read_all_data to reader`)
  await superuser.end()
  authority = createTestAuthority('data-sources.test')
  trap = await startFakeUpstream()
  const dialer = testDialer({ tlsFileFolders: [tlsFolder] })
  fixture = await startHttpFixture(await postgres.freshStore(), {}, { dialer })
  headers = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'dba')))
}, 60_000)
afterAll(async () => {
  await fixture?.close()
  await trap?.stop()
  await upstream?.stop()
  await postgres?.stop()
  authority?.remove()
  rmSync(tlsFolder, { recursive: true, force: true })
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
async function send(method: Method, url: string, payload?: object, more: Record<string, string> = {}) {
  const answer = await fixture.app.inject({
    method,
    url,
    headers: { ...headers, ...more },
    ...(payload && { payload }),
  })
  return { status: answer.statusCode, text: answer.body, body: answer.body === '' ? {} : tryJson(answer.body) }
}
function tryJson(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const admin = () => ({ host: '127.0.0.1', port: upstream.port, username: 'postern', password, tlsMode: 'disable' })
const reader = () => ({ ...admin(), username: 'reader' })

async function create(more: object = {}, adminDataSource: object = admin()): Promise<ChangedInstance> {
  const name = `i-${randomUUID()}`
  const answer = await send('POST', '/v1/instances', { kind: 'external', name, ...more, adminDataSource })
  expect(answer.text).not.toContain(password)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}
const get = async (name: string): Promise<Instance> => (await send('GET', `/v1/instances/${name}`)).body
const audits = async (action: string) => {
  const { body } = await send('GET', `/v1/auditEvents?action=${action}&pageSize=1000`)
  return body.auditEvents as { detail: Record<string, unknown>; target: { name: string }; outcome: string }[]
}
async function storedFingerprints(name: string): Promise<string[]> {
  const instance = await findInstance(fixture.deps.store.db, fixture.workspaceId, name)
  const sources = await listDataSources(fixture.deps.store.db, [instance!.id])
  return sources.map((source) => destinationFingerprint(routeOf(source)))
}
async function storedSecrets(name: string, source: string): Promise<Record<string, string>> {
  const instance = await findInstance(fixture.deps.store.db, fixture.workspaceId, name)
  const sources = await listDataSources(fixture.deps.store.db, [instance!.id])
  const opened = await openDataSourceSecrets(
    fixture.deps,
    sources.find((each) => each.name === source)!,
  )
  return Object.fromEntries(Object.entries(opened).map(([field, secret]) => [field, secret!.reveal()]))
}

describe('data sources', () => {
  it('are one admin and any number of read-only ones, added, edited and removed', async () => {
    const { name } = await create({ readOnlyDataSources: [reader()] })
    const url = `/v1/instances/${name}/dataSources`
    const added = await send('POST', url, { ...reader(), name: 'replica', title: 'Replica in the other hall' })
    expect(added.body.dataSources.map((source: { name: string; type: string }) => [source.name, source.type])).toEqual([
      ['admin', 'admin'],
      ['read-only-1', 'read_only'],
      ['replica', 'read_only'],
    ])
    expect((await send('POST', url, { ...reader(), name: 'replica' })).body.code).toBe('ALREADY_EXISTS')
    expect((await send('POST', url, reader())).body.dataSources).toHaveLength(4)
    const edited = await send('PATCH', `${url}/replica`, { title: 'Another', database: 'template1' })
    expect(edited.body.dataSources[2]).toMatchObject({ title: 'Another', database: 'template1', passwordSet: true })
    const id = edited.body.dataSources[2].id
    expect((await send('GET', `${url}/${id}`)).body).toMatchObject({ name: 'replica' })
    expect((await send('DELETE', `${url}/${id}`)).body.dataSources).toHaveLength(3)
    expect((await send('DELETE', `${url}/admin`)).body).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect((await send('GET', `${url}/replica`)).body).toMatchObject({ code: 'NOT_FOUND' })
    const actions = ['dataSource.create', 'dataSource.update', 'dataSource.delete']
    for (const action of actions) {
      const mine = (await audits(action)).filter(({ target }) => target.name.startsWith(`${name}/`))
      expect(mine.length).toBeGreaterThan(0)
      expect(JSON.stringify(mine)).not.toContain(password)
    }
  })

  it('are changed together, all of them or none', async () => {
    const { name, etag } = await create({
      readOnlyDataSources: [
        { ...reader(), name: 'a' },
        { ...reader(), name: 'b' },
      ],
    })
    const wanted = {
      title: 'Orders',
      adminDataSource: { database: 'template1' },
      readOnlyDataSources: [
        { name: 'b', title: 'Kept' },
        { ...reader(), name: 'c' },
      ],
    }
    const bad = {
      ...wanted,
      readOnlyDataSources: [...wanted.readOnlyDataSources, { ...reader(), name: 'd', password: 'no' }],
    }
    const refused = await send('PATCH', `/v1/instances/${name}`, { ...bad, etag })
    expect(refused.body).toMatchObject({ code: 'UPSTREAM_AUTH_FAILED', detail: expect.stringContaining("'d'") })
    expect(await get(name)).toMatchObject({ etag, title: '', dataSources: [{}, { name: 'a' }, { name: 'b' }] })
    const changed = await send('PATCH', `/v1/instances/${name}`, { ...wanted, etag })
    expect(changed.body).toMatchObject({
      title: 'Orders',
      defaultDatabase: 'template1',
      dataSources: [{ database: 'template1' }, { name: 'b', title: 'Kept', passwordSet: true }, { name: 'c' }],
    })
    const stale = await send('PATCH', `/v1/instances/${name}`, { title: 'x', etag })
    expect(stale).toMatchObject({ status: 409, body: { code: 'ETAG_MISMATCH' } })
    const staleSource = await send('PATCH', `/v1/instances/${name}/dataSources/b`, { title: 'x', etag })
    expect(staleSource).toMatchObject({ status: 409, body: { code: 'ETAG_MISMATCH' } })
  })

  it('are stored untested only when that is asked for; it is audited and shown until a test is good', async () => {
    const wrong = { ...admin(), database: 'not-there-yet' }
    const body = { kind: 'external', name: `i-${randomUUID()}`, adminDataSource: wrong }
    expect((await send('POST', '/v1/instances', body)).body).toMatchObject({ code: 'DATABASE_NOT_FOUND' })
    const stored = await send('POST', '/v1/instances', { ...body, skipTest: true })
    expect(stored.body).toMatchObject({ serverVersion: null, dataSources: [{ tested: false }] })
    const records = (await audits('instance.create')).filter(({ target }) => target.name === body.name)
    expect(records).toMatchObject([{ detail: { testSkipped: true } }])
    const test = await send('POST', `/v1/instances/${body.name}:testConnection`)
    expect(test.body).toMatchObject({ ok: false })
    expect((await get(body.name)).dataSources).toMatchObject([{ tested: false, lastCheck: { ok: false } }])
    const superuser = await upstream.superuser()
    await superuser.query('create database "not-there-yet"')
    await superuser.end()
    expect((await send('POST', `/v1/instances/${body.name}:testConnection`)).body).toMatchObject({ ok: true })
    expect(await get(body.name)).toMatchObject({
      serverVersion: expect.stringMatching(/^\d/),
      dataSources: [{ tested: true, lastCheck: { ok: true, code: null } }],
    })
  })

  it('that were just tested show it, and the answer holds what the test wants to be known', async () => {
    const { name, dataSources, connectionTest } = await create()
    expect(dataSources).toMatchObject([{ tested: true, lastCheck: { ok: true, code: null, lagSeconds: null } }])
    expect(connectionTest).toMatchObject({
      ok: true,
      dataSource: 'admin',
      missingPrivileges: [expect.stringMatching(/^GRANT /), expect.stringMatching(/^GRANT /)],
    })
    const sources = `/v1/instances/${name}/dataSources`
    const added = (await send('POST', sources, { ...admin(), name: 'writer' })).body as ChangedInstance
    expect(added.dataSources[1]).toMatchObject({ name: 'writer', lastCheck: { ok: true } })
    expect(added.connectionTest?.warnings).toContain('the user postern can make databases (CREATEDB)')
    const renamed = (await send('PATCH', `${sources}/writer`, { title: 'Writes' })).body as Instance
    expect(renamed.dataSources[1]).toMatchObject({ title: 'Writes', lastCheck: added.dataSources[1]?.lastCheck })
    expect(renamed).not.toHaveProperty('connectionTest')
    const changed = await send('PATCH', `/v1/instances/${name}`, { adminDataSource: { database: 'template1' } })
    expect(changed.body).toMatchObject({ connectionTest: { ok: true, dataSource: 'admin' } })
    const untested = await send('PATCH', `${sources}/writer`, { database: 'template1', skipTest: true })
    expect(untested.body.dataSources[1]).toMatchObject({ tested: false, lastCheck: null })
    expect(untested.body).not.toHaveProperty('connectionTest')
    expect(await get(name)).not.toHaveProperty('connectionTest')
  })

  it('that a test finds changed meanwhile keep what was changed: the test writes its own columns alone', async () => {
    const { name } = await create()
    const test = send('POST', `/v1/instances/${name}:testConnection`)
    const edit = await send('PATCH', `/v1/instances/${name}`, { title: 'Edited', adminDataSource: { title: 'Mine' } })
    await test
    expect(edit.status).toBe(200)
    expect(await get(name)).toMatchObject({ title: 'Edited', dataSources: [{ title: 'Mine', database: 'postgres' }] })
  })
})

describe('a secret', () => {
  const key = () => authority.issue(['client.test']).privateKeyPem
  /** A data source with every secret that a route can have, stored untested. */
  async function createFull() {
    const identity = authority.issue(['client.test'])
    const other = authority.issue(['other.test'])
    const full = {
      host: '127.0.0.1',
      port: trap.port,
      username: 'postern',
      password,
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      tlsClientCertificate: identity.certificateChainPem,
      tlsClientKey: identity.privateKeyPem,
      ssh: [{ host: '127.0.0.1', port: 1, username: 'tunnel', auth: 'password', password, hostKey: hostKey('a') }],
      extraParameters: { application_name: 'postern' },
    }
    const instance = await create({ skipTest: true }, full)
    return { name: instance.name, full, other }
  }

  it('stays with its destination: with any other place, user, TLS, SSH or parameter it must be entered again', async () => {
    const { name, full, other } = await createFull()
    writeFileSync(join(tlsFolder, 'ca.pem'), authority.caPem)
    const [hop] = full.ssh
    const { password: _, ...hopWithout } = hop!
    const moves: readonly (readonly [string, object])[] = [
      ['host', { host: 'localhost' }],
      ['port', { port: trap.port === 1 ? 2 : trap.port - 1 }],
      ['username', { username: 'somebody' }],
      ['tlsMode', { tlsMode: 'disable', tlsCa: null, tlsClientCertificate: null, tlsClientKey: null }],
      ['tlsMode', { tlsMode: 'require', tlsCa: null }],
      ['tlsMode', { tlsMode: 'verify-ca' }],
      ['tlsCa', { tlsCa: null }],
      ['tlsCa', { tlsCa: `${authority.caPem}\n` }],
      ['tlsFiles', { tlsCa: null, tlsFiles: { ca: join(tlsFolder, 'ca.pem') } }],
      ['tlsClientCertificate', { tlsClientCertificate: null, tlsClientKey: null }],
      ['tlsClientCertificate', { tlsClientCertificate: other.certificateChainPem, tlsClientKey: other.privateKeyPem }],
      ['ssh', { ssh: null }],
      ['ssh host', { ssh: [{ ...hopWithout, host: 'localhost' }] }],
      ['ssh port', { ssh: [{ ...hopWithout, port: trap.port }] }],
      ['ssh user', { ssh: [{ ...hopWithout, username: 'root' }] }],
      ['ssh host key', { ssh: [{ ...hopWithout, hostKey: hostKey('b') }] }],
      ['ssh host key taken away', { ssh: [{ ...hopWithout, hostKey: null }] }],
      ['ssh way', { ssh: [{ ...hopWithout, auth: 'private_key', privateKey: key() }] }],
      ['one more ssh server', { ssh: [hopWithout, { ...hop, host: 'next.test' }] }],
      ['extraParameters', { extraParameters: { application_name: 'other' } }],
    ]
    const before = await storedFingerprints(name)
    for (const [what, patch] of moves) {
      const requests = [
        send('PATCH', `/v1/instances/${name}`, { adminDataSource: patch }),
        send('PATCH', `/v1/instances/${name}`, { adminDataSource: patch, skipTest: true }),
        send('PATCH', `/v1/instances/${name}?validateOnly=true`, { adminDataSource: patch }),
        send('PATCH', `/v1/instances/${name}/dataSources/admin`, patch),
        send('PATCH', `/v1/instances/${name}/dataSources/admin?validateOnly=true`, patch),
        send('POST', `/v1/instances/${name}:testConnection`, { dataSource: patch }),
        send('POST', `/v1/instances/${name}/dataSources/admin:testConnection`, { dataSource: patch }),
      ]
      for (const answer of await Promise.all(requests)) {
        expect([what, answer.status, answer.body.code]).toEqual([what, 400, 'SECRET_REQUIRED'])
        expect(answer.body.fields.length).toBeGreaterThan(0)
        expect(answer.text).not.toContain(password)
      }
    }
    expect(await storedFingerprints(name)).toEqual(before)
    expect(trap.accepted).toBe(0)
    expect(trap.received().length).toBe(0)
  }, 60_000)

  it('of an engine with fields of its own stays with those fields as well', async () => {
    const snowflake = {
      username: 'POSTERN',
      loginMethod: 'access_token',
      accessToken: password,
      fields: { account: 'xy12345', warehouse: 'W' },
    }
    const { name } = await create({ engine: 'snowflake', skipTest: true }, snowflake)
    const moves = [{ host: '127.0.0.1', port: trap.port }, { fields: { account: 'zz99999', warehouse: 'W' } }]
    for (const patch of [...moves, { fields: { account: 'xy12345' } }]) {
      for (const url of [`/v1/instances/${name}`, `/v1/instances/${name}?validateOnly=true`]) {
        const { body } = await send('PATCH', url, { adminDataSource: patch })
        expect([patch, body.code]).toEqual([patch, 'SECRET_REQUIRED'])
      }
    }
    expect(trap.accepted).toBe(0)
  })

  it('moves with the data source when it is entered again, and an old one that has no use there is gone', async () => {
    const { name, full } = await createFull()
    const entered = { password: 'new', ssh: null, tlsMode: 'disable', tlsCa: null, tlsClientCertificate: null }
    const moved = { ...entered, tlsClientKey: null, host: 'localhost' }
    const url = `/v1/instances/${name}/dataSources/admin`
    expect((await send('PATCH', url, { ...moved, skipTest: true })).status).toBe(200)
    expect(await storedSecrets(name, 'admin')).toEqual({ password: 'new' })
    expect(full.ssh).toHaveLength(1)
  })

  it('that nothing would use is refused, never kept', async () => {
    const refused = async (source: object) =>
      (await send('POST', '/v1/instances:testConnection', { dataSource: { ...admin(), ...source } })).body
    expect(await refused({ privateKey: 'x' })).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await refused({ tlsClientKey: key() })).toMatchObject({ code: 'INVALID_ARGUMENT' })
    const hop = { host: '127.0.0.1', username: 'u', auth: 'password', password: 'x' }
    expect(await refused({ ssh: [{ ...hop, privateKey: 'x' }] })).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('is in no answer and in no row in clear, of any kind', async () => {
    const { name, full } = await createFull()
    const { text } = await send('GET', `/v1/instances/${name}`)
    const { rows } = await fixture.deps.store.pool.query(
      'select d::text as row from data_source d union all select s::text from data_source_secret s',
    )
    for (const secret of [password, full.tlsClientKey]) {
      expect(text).not.toContain(secret)
      expect(JSON.stringify(rows)).not.toContain(secret)
      expect(JSON.stringify(rows)).not.toContain(Buffer.from(secret).toString('hex'))
    }
    expect(JSON.parse(text).dataSources[0]).toMatchObject({
      passwordSet: true,
      tlsClientKeySet: true,
      accessTokenSet: false,
      ssh: [{ passwordSet: true, privateKeySet: false, hostKey: hostKey('a') }],
      certificates: [
        { use: 'ca', subject: 'CN=data-sources.test' },
        { use: 'client', subject: 'CN=client.test' },
      ],
    })
  })
})

describe('an update mask', () => {
  const values: Readonly<Record<string, unknown>> = {
    title: 'new title',
    weight: 7,
    host: 'localhost',
    port: 1234,
    database: 'template1',
    username: 'other',
    loginMethod: 'password',
    password: 'new password',
    tlsMode: 'disable',
    ssh: [{ host: 'ssh.test', username: 'u', auth: 'password', password: 'ssh', hostKey: hostKey('c'), port: 22 }],
    extraParameters: { application_name: 'masked' },
  }
  const shown = (source: Instance['dataSources'][number]) =>
    ({ ...source, tested: null, lastCheck: null, passwordSet: null }) as unknown as Record<string, unknown>

  it.each(Object.keys(values).filter((field) => !['loginMethod', 'tlsMode'].includes(field)))(
    'changes %s where it names it, and nothing else of what the body says',
    async (field) => {
      const { name } = await create({ skipTest: true })
      const before = shown((await get(name)).dataSources[0]!)
      const moves = ['host', 'port', 'username', 'ssh', 'extraParameters'].includes(field)
      const mask = [field, ...(moves ? ['password'] : [])].map((each) => `adminDataSource.${each}`).join(',')
      const body = { adminDataSource: values, title: 'unmasked', skipTest: true }
      const answer = await send('PATCH', `/v1/instances/${name}?updateMask=${mask}`, body)
      expect([field, answer.status]).toEqual([field, 200])
      const after = shown(answer.body.dataSources[0])
      const changed = Object.keys(after).filter((each) => JSON.stringify(after[each]) !== JSON.stringify(before[each]))
      expect(changed).toEqual(field === 'password' ? [] : [field])
      expect(answer.body.title).toBe('')
      const { password: stored } = await storedSecrets(name, 'admin')
      expect(stored).toBe(moves || field === 'password' ? 'new password' : password)
    },
  )

  it('takes a field that the body lacks back to its default', async () => {
    const { name } = await create({ title: 'Orders', labels: { team: 'a' }, environment: 'prod' })
    const mask = 'title,labels,environment'
    const { body } = await send('PATCH', `/v1/instances/${name}?updateMask=${mask}`, { environment: 'test' })
    expect(body).toMatchObject({ title: '', labels: {}, environment: 'test' })
    const source = await send('PATCH', `/v1/instances/${name}/dataSources/admin?updateMask=database`, { title: 'no' })
    expect(source.body.dataSources[0]).toMatchObject({ database: 'postgres', title: '' })
    const noHost = await send('PATCH', `/v1/instances/${name}/dataSources/admin?updateMask=host,password`, { password })
    expect(noHost.body).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it.each(['nothing', 'adminDataSource.nothing', 'title,', 'etag', 'adminDataSource.passwordSet', '__proto__', ''])(
    'that names %j is refused',
    async (mask) => {
      const { name } = await create({ skipTest: true })
      const answer = await send('PATCH', `/v1/instances/${name}?updateMask=${mask}`, { title: 'x' })
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_ARGUMENT' } })
    },
  )

  it('knows every field of a data source', async () => {
    const { name } = await create({ skipTest: true })
    for (const field of DATA_SOURCE_FIELDS) {
      const url = `/v1/instances/${name}/dataSources/admin?updateMask=${field}`
      const { text } = await send('PATCH', url, { skipTest: true })
      expect(text).not.toContain('there is no field')
    }
  })
})

describe('a connection test', () => {
  it('of what is not stored tells its stages, what is missing, and where Postern comes from', async () => {
    const { status, body } = await send('POST', '/v1/instances:testConnection', { dataSource: admin() })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      ok: true,
      user: 'postern',
      addressesToAllow: ['203.0.113.7'],
      seenAddress: '127.0.0.1',
    })
    expect(body.stages.map(({ stage }: { stage: string }) => stage)).toEqual([
      'secret',
      'name',
      'tcp',
      'login',
      'version',
      'privileges',
    ])
  })

  it('comes line by line where that is asked for, and the last line says how it ended', async () => {
    const lines = async (payload: object) => {
      const accept = { accept: 'application/x-ndjson' }
      const { text } = await send('POST', '/v1/instances:testConnection', payload, accept)
      return text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    }
    const good = await lines({ dataSource: admin() })
    expect(good.map(({ type, stage }) => stage?.stage ?? type)).toEqual([
      'secret',
      'name',
      'tcp',
      'login',
      'version',
      'privileges',
      'report',
    ])
    const failed = await lines({ dataSource: { ...admin(), password: 'wrong' } })
    expect(failed.at(-2)).toMatchObject({ type: 'stage', stage: { stage: 'login', ok: false } })
    expect(failed.at(-1)).toMatchObject({ type: 'report', report: { ok: false } })
    const refused = await lines({ dataSource: { ...admin(), host: '/tmp' } })
    expect(refused).toMatchObject([
      { type: 'problem', problem: { code: 'INVALID_ARGUMENT', requestId: expect.any(String) } },
    ])
  })

  it('ends when the caller leaves', async () => {
    const met = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    const silent = createServer((socket) => {
      socket.resume()
      socket.on('close', () => left.resolve())
      met.resolve()
    })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const own = await startHttpFixture(await postgres.freshStore())
    const { clientId, secret } = await addServicePrincipal(own, 'dba')
    const url = await own.app.listen({ host: '127.0.0.1', port: 0 })
    const granted = await fetch(`${url}/oidc/v1/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'all-apis' }),
    })
    const { access_token } = (await granted.json()) as { access_token: string }
    const token = bearer(access_token)
    const leave = new AbortController()
    const { port } = silent.address() as AddressInfo
    const answer = await fetch(`${url}/v1/instances:testConnection`, {
      method: 'POST',
      headers: { ...token, 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ dataSource: { ...admin(), port } }),
      signal: leave.signal,
    })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    await met.promise
    leave.abort()
    await left.promise
    await own.close()
    await new Promise((resolve) => silent.close(resolve))
  })

  it('advises about the same host at the stage that failed', async () => {
    const { body } = await send('POST', '/v1/instances:testConnection', {
      dataSource: { ...admin(), host: 'host.docker.internal' },
    })
    expect(body.stages.at(-1)).toMatchObject({ stage: 'name', ok: false, action: expect.stringContaining('127.0.0.1') })
  })

  it('of an SSH server that is not known yet stops before any secret and tells its fingerprint', async () => {
    const seen: unknown[] = []
    const detail = { host: 'ssh.test', port: 22, hostKey: hostKey('d'), algorithm: 'ssh-ed25519' }
    const tunnels = {
      ...noTunnels,
      connect: (request: { readonly hops: readonly { readonly hostKey: string | null }[] }) => {
        seen.push(request.hops[0]?.hostKey)
        return Promise.reject(
          request.hops[0]?.hostKey === null
            ? new PosternError('UPSTREAM_SSH_HOST_KEY_UNKNOWN', 'the host key is not known', { detail })
            : new PosternError('UPSTREAM_SSH_AUTH_FAILED', 'it refuses the login'),
        )
      },
    }
    const other = await startHttpFixture(await postgres.freshStore(), {}, { dialer: testDialer({ tunnels }) })
    const token = bearer(await accessTokenOf(other.app, await addServicePrincipal(other, 'dba')))
    const hop = { host: 'ssh.test', username: 'u', auth: 'password', password }
    const post = (payload: object) =>
      other.app.inject({ method: 'POST', url: '/v1/instances', headers: token, payload })
    const body = (more: object) => ({
      kind: 'external',
      name: 'behind',
      adminDataSource: { ...admin(), ssh: [{ ...hop, ...more }] },
    })
    const unknown = await post(body({}))
    expect(unknown.statusCode).toBe(409)
    expect(unknown.json()).toMatchObject({ code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN', sshHostKey: detail })
    const confirmed = await post(body({ hostKey: detail.hostKey }))
    expect(confirmed.json()).toMatchObject({ code: 'UPSTREAM_SSH_AUTH_FAILED' })
    expect(seen).toEqual([null, detail.hostKey])
    await other.close()
  })
})

describe('an SSH key that Postern made', () => {
  it('shows its public half alone, is used by its id, and is not deleted while it is used', async () => {
    const { body: made, text } = await send('POST', '/v1/sshKeys', { title: 'bastion' })
    expect(made.publicKey).toMatch(/^ssh-ed25519 AAAA\S+ postern$/)
    expect(text).not.toContain('PRIVATE')
    const hop = { host: '127.0.0.1', port: 1, username: 'u', auth: 'private_key', generatedKeyId: made.id }
    const source = { ...admin(), ssh: [{ ...hop, hostKey: hostKey('e') }] }
    const { name, dataSources } = await create({ skipTest: true }, source)
    expect(dataSources[0]?.ssh).toMatchObject([
      { publicKey: made.publicKey, generatedKeyId: made.id, privateKeySet: true },
    ])
    expect((await storedSecrets(name, 'admin'))['ssh.0.privateKey']).toContain('PRIVATE KEY')
    const listed = (await send('GET', '/v1/sshKeys')).body.sshKeys
    expect(listed).toContainEqual({ ...made, usedBy: [`${name}/admin`] })
    expect((await send('DELETE', `/v1/sshKeys/${made.id}`)).body).toMatchObject({ code: 'IN_USE' })
    const patch = { ssh: null, password, skipTest: true }
    expect((await send('PATCH', `/v1/instances/${name}/dataSources/admin`, patch)).status).toBe(200)
    expect((await send('DELETE', `/v1/sshKeys/${made.id}`)).status).toBe(200)
    const again = { ...patch, ssh: [hop] }
    const refused = await send('PATCH', `/v1/instances/${name}/dataSources/admin`, again)
    expect(refused.body).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('of another workspace cannot be used', async () => {
    const hop = { host: '127.0.0.1', username: 'u', auth: 'private_key', generatedKeyId: randomUUID() }
    const { body } = await send('POST', '/v1/instances:testConnection', { dataSource: { ...admin(), ssh: [hop] } })
    expect(body).toMatchObject({ code: 'INVALID_ARGUMENT', detail: expect.stringContaining('generatedKeyId') })
  })
})

describe('a list of instances', () => {
  it('is filtered by engine, environment, label, state and text, ordered and paged', async () => {
    const mark = `m${randomUUID().slice(0, 8)}`
    const make = (name: string, more: object, source?: object) =>
      send('POST', '/v1/instances', {
        kind: 'external',
        name: `${mark}-${name}`,
        skipTest: true,
        adminDataSource: source ?? { ...admin(), host: `${name}.${mark}.test` },
        ...more,
      })
    await make('a', { title: 'Zebra', environment: 'prod', labels: { team: 'x', tier: '1' } })
    await make('b', { title: 'apple', environment: 'test', labels: { team: 'y' } })
    await make('c', { title: 'Mango', engine: 'clickhouse', labels: { team: 'x' } })
    await send('DELETE', `/v1/instances/${mark}-b`)
    const names = async (query: string) => {
      const { body } = await send('GET', `/v1/instances?${query}`)
      return body.instances.map(({ name }: Instance) => name.slice(mark.length + 1))
    }
    expect(await names(`text=${mark}`)).toEqual(['a', 'c'])
    expect(await names(`text=A.${mark}.TEST`)).toEqual(['a'])
    expect(await names(`text=mANGO`)).toEqual(['c'])
    expect(await names(`text=${mark}&showDeleted=true`)).toEqual(['a', 'b', 'c'])
    expect(await names(`text=${mark}&state=DELETED`)).toEqual(['b'])
    expect(await names(`text=${mark}&engine=clickhouse`)).toEqual(['c'])
    expect(await names(`text=${mark}&environment=prod`)).toEqual(['a'])
    expect(await names(`text=${mark}&label=team:x`)).toEqual(['a', 'c'])
    expect(await names(`text=${mark}&label=team:x&label=tier`)).toEqual(['a'])
    expect(await names(`text=${mark}&showDeleted=true&orderBy=title`)).toEqual(['b', 'c', 'a'])
    expect(await names(`text=${mark}&showDeleted=true&orderBy=-title`)).toEqual(['a', 'c', 'b'])
    expect(await names(`text=${mark}&showDeleted=true&orderBy=-createdAt`)).toEqual(['c', 'b', 'a'])
    for (const orderBy of ['name', 'title', '-title', 'environment', 'createdAt', '-createdAt']) {
      const whole = await names(`text=${mark}&showDeleted=true&orderBy=${orderBy}`)
      const paged: string[] = []
      let token = ''
      do {
        const query = `text=${mark}&showDeleted=true&orderBy=${orderBy}&pageSize=1${token}`
        const { body } = await send('GET', `/v1/instances?${query}`)
        paged.push(...body.instances.map(({ name }: Instance) => name.slice(mark.length + 1)))
        token = body.nextPageToken === undefined ? '' : `&pageToken=${body.nextPageToken}`
      } while (token !== '')
      expect([orderBy, paged]).toEqual([orderBy, whole])
    }
  })
})
