import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGroup } from '../../../src/identity/create-group.ts'
import { createUser } from '../../../src/identity/create-user.ts'
import { createWorkspace } from '../../../src/identity/create-workspace.ts'
import { createServicePrincipalSecret } from '../../../src/identity/service-principal-secrets.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../support/http-app.ts'
import { type RouteRow, type RouteSubject, routeTable, routeUrl } from './route-table.ts'

const otherHost = 'other.test'

let postgres: EmbeddedPostgres
let fixture: HttpFixture
let subjects = 0
/** Anonymous, member, DBA, admin, admin of another workspace: what each sends. */
let callers: readonly Record<string, string>[]
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  fixture = await startHttpFixture(await postgres.freshStore())
  const other = await createWorkspace(fixture.deps, fixture.admin, {
    name: 'other',
    hosts: [otherHost],
    gatewayDomain: 'other.localhost',
  })
  await fixture.deps.signingKeys.refresh()
  const signIn = async (role: 'member' | 'dba' | 'admin') =>
    bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, role)))
  const otherAdmin = await addServicePrincipal(
    { ...fixture, admin: { ...fixture.admin, workspaceId: other.id } },
    'admin',
  )
  callers = [
    {},
    await signIn('member'),
    await signIn('dba'),
    await signIn('admin'),
    { host: otherHost, ...bearer(await accessTokenOf(fixture.app, otherAdmin, otherHost)) },
  ]
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

async function makeSubject(): Promise<RouteSubject> {
  const { deps, admin, workspaceId } = fixture
  subjects += 1
  const { clientId, id: servicePrincipalId } = await addServicePrincipal(fixture)
  const secret = await createServicePrincipalSecret(deps, admin, clientId, {})
  const user = await createUser(deps, admin, { email: `person-${subjects}@main.test`, workspaceRole: 'member' })
  const group = await createGroup(deps, admin, {
    displayName: `group ${subjects}`,
    workspaceRole: 'member',
    memberIds: [servicePrincipalId],
  })
  return {
    clientId,
    secretId: secret.id,
    user: user.id,
    group: group.id,
    memberId: servicePrincipalId,
    principalId: user.id,
    workspace: workspaceId,
  }
}

async function ask(row: RouteRow, caller: Record<string, string>, subject: RouteSubject): Promise<number> {
  const { method, body } = row
  const request = { method, url: routeUrl(row, subject), headers: caller, ...(body && { payload: body }) }
  return (await fixture.app.inject(request)).statusCode
}

describe.each(routeTable)('$method $path', (row) => {
  it(`answers anonymous, member, DBA, admin and the admin of another workspace with ${row.statuses.join(', ')}`, async () => {
    // What only reads may be read by all of them; what changes something gets a thing of its own each time.
    const shared = row.method === 'GET' ? await makeSubject() : undefined
    const answered: number[] = []
    for (const caller of callers) answered.push(await ask(row, caller, shared ?? (await makeSubject())))
    expect(answered).toEqual([...row.statuses])
  })
})

it('refuses the access token of another workspace’s admin at every route that needs one', async () => {
  const { host: _, ...token } = callers[4]!
  const subject = await makeSubject()
  for (const row of routeTable.filter(({ statuses }) => statuses[0] === 401)) {
    expect(await ask(row, token, subject), `${row.method} ${row.path}`).toBe(401)
  }
})

it('leaves no route out of the table', () => {
  const served = servedRoutes(fixture.app.printRoutes({ commonPrefix: false }))
  expect(served.length).toBeGreaterThan(60)
  expect(served.toSorted()).toEqual(routeTable.map(({ method, path }) => `${method} ${path}`).toSorted())
})

it('refuses before it reads a body: an unknown caller learns nothing of the fields', async () => {
  const request = { method: 'POST', url: '/v1/servicePrincipals', payload: { nonsense: true } } as const
  expect((await fixture.app.inject(request)).statusCode).toBe(401)
})

it('says which workspace roles may do what was refused', async () => {
  const { clientId } = await makeSubject()
  const answer = await fixture.app.inject({ url: `/v1/servicePrincipals/${clientId}`, headers: callers[1] })
  expect(answer.json()).toMatchObject({
    code: 'PERMISSION_DENIED',
    detail: expect.stringMatching(/Workspace Admin or Workspace DBA/),
  })
})

/** `METHOD /path/{name}` of every route, from the tree that fastify prints of those that it serves. */
function servedRoutes(tree: string): string[] {
  const ancestors: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent, text, methods] = /^(.*?)[├└]── (.+) \((.+)\)$/.exec(line) ?? []
    if (indent === undefined || text === undefined || methods === undefined) return []
    const depth = indent.length / 4
    ancestors.length = depth
    ancestors[depth] = text
    const path = ancestors.join('').replaceAll(/\/:(\w+)(\(\^\.\+\):)?/g, '/{$1}')
    return methods
      .split(', ')
      .filter((method) => method !== 'HEAD')
      .map((method) => `${method} ${path}`)
  })
}
