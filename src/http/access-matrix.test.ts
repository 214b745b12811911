import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
  type TestServicePrincipal,
} from '../../test/support/http-app.ts'
import { createServicePrincipalSecret } from '../identity/service-principal-secrets.ts'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** What a row acts on; made anew for every request, so that no row depends on another. */
interface Subject {
  readonly clientId: string
  readonly secretId: string
}

interface Row {
  readonly method: Method
  /** As OpenAPI writes it. */
  readonly path: string
  readonly url: (subject: Subject) => string
  readonly payload?: object
  readonly statuses: readonly [anonymous: number, member: number, dba: number, admin: number]
}

const uuid = randomUUID()
const unknownPrincipal = { principal: { id: '1' } }
// Link-local: refused without a packet being sent.
const unreachableInstance = {
  kind: 'external',
  name: 'none',
  adminDataSource: { host: '169.254.169.254', username: 'u', password: 'p' },
}

/** Every route × {anonymous, member, dba, admin}. 400 and 404 mean: allowed, and it cannot be done or is not there. */
const table: readonly Row[] = [
  row('GET', '/healthz', [200, 200, 200, 200]),
  row('GET', '/readyz', [200, 200, 200, 200]),
  row('GET', '/.well-known/databricks-config', [200, 200, 200, 200]),
  row('GET', '/v1/me', [401, 200, 200, 200]),
  row('GET', '/v1/gateway', [401, 200, 200, 200]),
  row('POST', '/v1/servicePrincipals', [401, 403, 403, 200], { displayName: 'x' }),
  row('GET', '/v1/servicePrincipals', [401, 403, 200, 200]),
  row('GET', '/v1/servicePrincipals/{clientId}', [401, 403, 200, 200]),
  row('PATCH', '/v1/servicePrincipals/{clientId}', [401, 403, 403, 200], { active: true }),
  row('DELETE', '/v1/servicePrincipals/{clientId}', [401, 403, 403, 200]),
  row('POST', '/v1/servicePrincipals/{clientId}/secrets', [401, 403, 403, 200], {}),
  row('GET', '/v1/servicePrincipals/{clientId}/secrets', [401, 403, 403, 200]),
  row('DELETE', '/v1/servicePrincipals/{clientId}/secrets/{secretId}', [401, 403, 403, 200]),
  row('GET', '/v1/auditEvents', [401, 403, 200, 200]),
  row('GET', '/v1/keys', [401, 403, 403, 200]),
  row('POST', '/v1/keys:rotate', [401, 403, 403, 200]),
  row('POST', '/v1/masterKey:rotate', [401, 403, 403, 200]),
  row('POST', '/api/2.0/database/credentials', [401, 404, 404, 404], { instance_names: ['none'] }),
  row('POST', '/v1/instances', [401, 403, 400, 400], unreachableInstance),
  row('GET', '/v1/instances', [401, 200, 200, 200]),
  row('GET', '/v1/instances/{name}', [401, 404, 404, 404]),
  row('PATCH', '/v1/instances/{name}', [401, 403, 404, 404], {}),
  row('DELETE', '/v1/instances/{name}', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}:start', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}:stop', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}:undelete', [401, 403, 404, 404]),
  row('POST', '/v1/instances:testConnection', [401, 403, 200, 200], {
    dataSource: unreachableInstance.adminDataSource,
  }),
  row('POST', '/v1/instances/{name}:testConnection', [401, 403, 404, 404]),
  row('GET', '/v1/instances/{name}/dataSources', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}/dataSources', [401, 403, 404, 404], {}),
  row('GET', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404]),
  row('PATCH', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404], {}),
  row('DELETE', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}/dataSources/{dataSource}:testConnection', [401, 403, 404, 404]),
  row('POST', '/v1/sshKeys', [401, 403, 200, 200], {}),
  row('GET', '/v1/sshKeys', [401, 403, 200, 200]),
  row('DELETE', '/v1/sshKeys/{id}', [401, 403, 404, 404]),
  row('GET', '/v1/engines', [401, 200, 200, 200]),
  row('GET', '/v1/engines/{engine}', [401, 200, 200, 200]),
  row('GET', '/v1/setupGuides/{kind}', [401, 403, 200, 200]),
  row('POST', '/v1/instances/{name}:sync', [401, 403, 404, 404]),
  row('GET', '/v1/instances/{name}/syncRuns', [401, 403, 404, 404]),
  row('GET', '/v1/instances/{name}/syncRuns/{id}', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}/syncRuns/{id}:cancel', [401, 403, 404, 404]),
  row('GET', '/v1/instances/{name}/databases', [401, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/schemas', [401, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/tables', [401, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/tables/{table}', [401, 404, 404, 404]),
  row('GET', '/v1/catalog:search', [401, 200, 200, 200]),
  row('POST', '/v1/instances/{name}/sql:execute', [401, 404, 404, 404], { statement: 'select 1' }),
  row('GET', '/v1/sqlExecutions', [401, 200, 200, 200]),
  row('DELETE', '/v1/sqlExecutions', [401, 200, 200, 200]),
  row('GET', '/v1/sqlExecutions/{id}', [401, 404, 404, 404]),
  row('DELETE', '/v1/sqlExecutions/{id}', [401, 404, 404, 404]),
  row('POST', '/v1/sqlExecutions/{id}:cancel', [401, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/roles', [401, 403, 404, 404], unknownPrincipal),
  row('GET', '/v1/instances/{name}/roles', [401, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/roles/{roleName}', [401, 404, 404, 404]),
  row('DELETE', '/v1/instances/{name}/roles/{roleName}', [401, 403, 404, 404]),
  row('POST', '/v1/instances/{name}/roles/{roleName}:repair', [401, 403, 404, 404]),
]

function row(method: Method, path: string, statuses: Row['statuses'], payload?: object): Row {
  const url = ({ clientId, secretId }: Subject) =>
    path
      .replace('{clientId}', clientId)
      .replace('{secretId}', secretId)
      .replace('{name}', 'none')
      .replace('{dataSource}', 'none')
      .replace('{engine}', 'postgres')
      .replace('{kind}', 'vault_kv')
      .replace('{id}', uuid)
      .replace('{roleName}', 'none')
      .replace('{database}', 'none')
      .replace('{table}', 'none')
      .replace('catalog:search', 'catalog:search?query=none')
  return { method, path, url, payload, statuses }
}

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let headers: readonly Record<string, string>[]
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  const signIn = async (caller: TestServicePrincipal) => bearer(await accessTokenOf(fixture.app, caller))
  headers = [
    {},
    await signIn(await addServicePrincipal(fixture, 'member')),
    await signIn(await addServicePrincipal(fixture, 'dba')),
    await signIn(await addServicePrincipal(fixture, 'admin')),
  ]
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

async function subject(): Promise<Subject> {
  const { clientId } = await addServicePrincipal(fixture)
  const { id } = await createServicePrincipalSecret(fixture.deps, fixture.admin, clientId, {})
  return { clientId, secretId: id }
}

describe.each(table)('$method $path', ({ method, url, payload, statuses }) => {
  it(`answers anonymous, member, dba and admin with ${statuses.join(', ')}`, async () => {
    const answered: number[] = []
    for (const caller of headers) {
      const request = { method, url: url(await subject()), headers: caller, ...(payload && { payload }) }
      answered.push((await fixture.app.inject(request)).statusCode)
    }
    expect(answered).toEqual([...statuses])
  })
})

it('leaves no route of the API out of the table', async () => {
  const { paths } = (await fixture.app.inject({ url: '/v1/openapi.json' })).json()
  const described = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(described.toSorted()).toEqual(table.map(({ method, path }) => `${method} ${path}`).toSorted())
})

it('refuses before it reads a body: an unknown caller learns nothing of the fields', async () => {
  const request = { method: 'POST', url: '/v1/servicePrincipals', payload: { nonsense: true } } as const
  expect((await fixture.app.inject(request)).statusCode).toBe(401)
})

it('says which workspace roles may do what was refused', async () => {
  const answer = await fixture.app.inject({ url: `/v1/servicePrincipals/${uuid}`, headers: headers[1] })
  expect(answer.json()).toMatchObject({
    code: 'PERMISSION_DENIED',
    detail: expect.stringMatching(/Workspace Admin or Workspace DBA/),
  })
})
