import { describe, expect, test } from 'vitest'
import type { DataSourceId, InstanceId, PrincipalId, RoleBindingId, WorkspaceId } from '../base/ids.ts'
import { PLAIN_ROUTE } from '../dialer/data-source-route.ts'
import type { LoginFacts, LoginQuestion } from '../store/login-facts.ts'
import { decideLogin } from './decide-login.ts'
import { LoginGrant } from './login-grant.ts'
import { VerifiedPrincipal } from './verified-principal.ts'

const workspaceId = '100000000000001' as WorkspaceId
const principalId = '100000000000002' as PrincipalId
const instanceId = '8d2f1f9e-0000-4000-8000-000000000001' as InstanceId

const principal = VerifiedPrincipal.afterVerification({
  workspaceId,
  principalId,
  instanceIds: [instanceId],
  proof: 'credential',
  groupId: undefined,
  readOnly: false,
  credentialId: 'c1',
  expiresAt: new Date('2026-01-01T01:00:00Z'),
})
const question: LoginQuestion = {
  workspaceId,
  principalId,
  instance: { name: 'sample' },
  roleName: 'ana',
  readOnly: false,
}

const allowedFacts = {
  principal: { name: 'ana@example.test', active: true, inWorkspace: true },
  instance: {
    id: instanceId,
    name: 'sample',
    kind: 'external',
    state: 'AVAILABLE',
    defaultDatabase: 'shop',
    accessTokenLogin: false,
    mayHaveDatabricksAuth: false,
  },
  binding: {
    id: '8d2f1f9e-0000-4000-8000-000000000002' as RoleBindingId,
    roleOid: '16384',
    systemIdentifier: '7000000000000000001',
    loginKeySealed: null,
    holderId: principalId,
    holderKind: 'user',
    holderActive: true,
    holderInWorkspace: true,
    heldByPrincipal: true,
  },
  adminDataSource: {
    ...PLAIN_ROUTE,
    engine: 'postgres',
    host: 'db.example.test',
    port: 5432,
    database: 'shop',
    loginMethod: 'password',
    tlsMode: 'verify-full',
    routeSecrets: null,
  },
  readOnlySources: [],
} satisfies LoginFacts

describe('a login', () => {
  test('that every fact allows gets a grant for its own role and route', () => {
    const decision = decideLogin(principal, question, allowedFacts)
    if (!decision.allowed) throw new Error(decision.denial)
    expect(LoginGrant.isOne(decision.grant)).toBe(true)
    expect(decision.grant.fields).toMatchObject({
      roleName: 'ana',
      roleOid: '16384',
      instanceId,
      route: { engine: 'postgres', host: 'db.example.test', username: 'ana' },
    })
  })

  test('takes along what the way of the data source needs, and nothing where it needs nothing', () => {
    const plain = decideLogin(principal, question, allowedFacts)
    if (!plain.allowed) throw new Error(plain.denial)
    const hop = { host: 'bastion.test', port: 22, username: 'b', auth: 'private_key', hostKey: null } as const
    const routeSecrets = {
      id: '8d2f1f9e-0000-4000-8000-000000000003' as DataSourceId,
      username: 'keeper',
      sealed: { 'ssh.0.privateKey': Buffer.from('sealed') },
    }
    const source = { ...allowedFacts.adminDataSource, ssh: [{ ...hop, publicKey: 'ssh-ed25519 AAAA' }], routeSecrets }
    const through = decideLogin(principal, question, { ...allowedFacts, adminDataSource: source })
    if (!through.allowed) throw new Error(through.denial)
    expect(through.grant.fields.route).toEqual({ ...plain.grant.fields.route, ssh: [hop] })
    expect(through.grant.fields.routeSecrets).toEqual(routeSecrets)
    expect(plain.grant.fields.routeSecrets).toBeNull()
  })

  const denials: [string, LoginFacts, string][] = [
    ['of a principal that is gone', { ...allowedFacts, principal: null }, 'principal-unknown'],
    [
      'of a deactivated principal',
      { ...allowedFacts, principal: { ...allowedFacts.principal, active: false } },
      'principal-inactive',
    ],
    [
      'of a principal that left the workspace',
      { ...allowedFacts, principal: { ...allowedFacts.principal, inWorkspace: false } },
      'not-in-workspace',
    ],
    [
      'to an instance that does not exist',
      { ...allowedFacts, instance: null, binding: null, adminDataSource: null },
      'instance-not-found',
    ],
    [
      'to an instance made again under the same name',
      { ...allowedFacts, instance: { ...allowedFacts.instance, id: 'other' as InstanceId } },
      'credential-wrong-instance',
    ],
    [
      'to a stopped instance',
      { ...allowedFacts, instance: { ...allowedFacts.instance, state: 'STOPPED' } },
      'instance-not-available',
    ],
    ['to an instance without a data source', { ...allowedFacts, adminDataSource: null }, 'instance-not-available'],
    ['as an unbound Postgres role', { ...allowedFacts, binding: null }, 'role-not-bound'],
    [
      'as the Postgres role of another principal',
      { ...allowedFacts, binding: { ...allowedFacts.binding, heldByPrincipal: false } },
      'role-of-another',
    ],
    [
      'as a group that the principal is not in',
      { ...allowedFacts, binding: { ...allowedFacts.binding, holderKind: 'group', heldByPrincipal: false } },
      'not-a-member',
    ],
    [
      'as a deactivated group',
      { ...allowedFacts, binding: { ...allowedFacts.binding, holderKind: 'group', holderActive: false } },
      'group-inactive',
    ],
    [
      '[D2-055] as a group that is not assigned to the workspace',
      { ...allowedFacts, binding: { ...allowedFacts.binding, holderKind: 'group', holderInWorkspace: false } },
      'group-not-in-workspace',
    ],
  ]
  for (const [name, facts, denial] of denials) {
    test(`${name} is denied: ${denial}`, () => {
      expect(decideLogin(principal, question, facts)).toMatchObject({ allowed: false, denial })
    })
  }

  test('with a credential for a group is allowed as that group alone', () => {
    const group = { ...principal, groupId: allowedFacts.binding.holderId }
    const forGroup = VerifiedPrincipal.afterVerification(group)
    expect(decideLogin(forGroup, question, allowedFacts)).toMatchObject({ allowed: true })
    const other = VerifiedPrincipal.afterVerification({ ...group, groupId: '7' as PrincipalId })
    expect(decideLogin(other, question, allowedFacts)).toMatchObject({ denial: 'credential-wrong-group' })
  })

  test('with a credential for reading takes a read-only data source, and keeps to what its login key is sealed for', () => {
    const reading = VerifiedPrincipal.afterVerification({ ...principal, readOnly: true })
    expect(decideLogin(reading, question, allowedFacts)).toMatchObject({ denial: 'read-only-unavailable' })
    const { adminDataSource } = allowedFacts
    const readOnlySources = ['one.test', 'two.test'].map((host) => ({ ...adminDataSource, host }))
    const decision = decideLogin(reading, question, { ...allowedFacts, readOnlySources })
    if (!decision.allowed) throw new Error(decision.denial)
    const { route, loginKeyRoute, alternatives, readOnly } = decision.grant.fields
    expect([route.host, ...alternatives.map(({ fields }) => fields.route.host)]).toEqual(['one.test', 'two.test'])
    expect({ host: loginKeyRoute.host, readOnly }).toEqual({ host: 'db.example.test', readOnly: true })
  })

  test('with an access token is allowed where the instance takes them, whatever instances it does not name', () => {
    const token = VerifiedPrincipal.afterVerification({ ...principal, proof: 'access-token', instanceIds: [] })
    expect(decideLogin(token, question, allowedFacts)).toMatchObject({ denial: 'access-token-not-accepted' })
    const instance = { ...allowedFacts.instance, accessTokenLogin: true }
    expect(decideLogin(token, question, { ...allowedFacts, instance })).toMatchObject({ allowed: true })
  })
})
