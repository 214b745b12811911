import type { LoginFacts, LoginQuestion } from '../store/login-facts.ts'
import type { LoginSource } from '../store/login-source.ts'
import { routeOf } from './data-source-secrets.ts'
import { LoginGrant } from './login-grant.ts'
import type { VerifiedPrincipal } from './verified-principal.ts'

/** Why a verified principal was not let in. Its holder is told; the gateway has the sentences. */
export type LoginDenial =
  | 'principal-unknown'
  | 'principal-inactive'
  | 'not-in-workspace'
  | 'instance-not-found'
  | 'credential-wrong-instance'
  | 'credential-wrong-group'
  | 'access-token-not-accepted'
  | 'read-only-unavailable'
  | 'instance-not-available'
  | 'role-not-bound'
  | 'role-of-another'
  | 'not-a-member'
  | 'group-inactive'
  | 'group-not-in-workspace'

export type LoginDecision =
  | { readonly allowed: true; readonly grant: LoginGrant }
  | { readonly allowed: false; readonly denial: LoginDenial; readonly state?: string }

/**
 * Decides a login from the facts alone, in the order in which a person would ask: who, which instance, which Postgres role.
 * Nothing is read and nothing is written here.
 */
export function decideLogin(principal: VerifiedPrincipal, question: LoginQuestion, facts: LoginFacts): LoginDecision {
  if (facts.principal === null) return denied('principal-unknown')
  if (!facts.principal.active) return denied('principal-inactive')
  if (!facts.principal.inWorkspace) return denied('not-in-workspace')

  const { instance, binding, adminDataSource } = facts
  const principalName = facts.principal.name
  if (instance === null) return denied('instance-not-found')
  if (principal.proof === 'access-token') {
    if (!instance.accessTokenLogin) return denied('access-token-not-accepted')
  } else if (!principal.instanceIds.includes(instance.id)) return denied('credential-wrong-instance')
  if (instance.state !== 'AVAILABLE' || adminDataSource === null) {
    return { allowed: false, denial: 'instance-not-available', state: instance.state }
  }

  if (binding === null) return denied('role-not-bound')
  if (principal.groupId !== undefined && binding.holderId !== principal.groupId) return denied('credential-wrong-group')
  if (!binding.heldByPrincipal) return denied(binding.holderKind === 'group' ? 'not-a-member' : 'role-of-another')
  if (!binding.holderActive) return denied('group-inactive')
  if (binding.holderKind === 'group' && !binding.holderInWorkspace) return denied('group-not-in-workspace')

  const loginKeyRoute = routeOf({ ...adminDataSource, username: question.roleName })
  const grantFor = (source: LoginSource, alternatives: readonly LoginGrant[]) =>
    LoginGrant.afterAuthorization({
      workspaceId: principal.workspaceId,
      principalId: principal.principalId,
      principalName,
      instanceId: instance.id,
      instanceName: instance.name,
      roleName: question.roleName,
      bindingId: binding.id,
      roleOid: binding.roleOid,
      systemIdentifier: binding.systemIdentifier,
      route: routeOf({ ...source, username: question.roleName }),
      routeSecrets: source.routeSecrets,
      loginKeySealed: binding.loginKeySealed,
      loginKeyRoute,
      readOnly: principal.readOnly,
      alternatives,
      expiresAt: principal.expiresAt,
      carriesStatement: instance.mayHaveDatabricksAuth,
      defaultDatabase: instance.defaultDatabase,
    })
  if (!principal.readOnly) return { allowed: true, grant: grantFor(adminDataSource, []) }
  const [first, ...others] = facts.readOnlySources
  if (first === undefined) return denied('read-only-unavailable')
  const alternatives = others.map((source) => grantFor(source, []))
  return { allowed: true, grant: grantFor(first, alternatives) }
}

function denied(denial: LoginDenial): LoginDecision {
  return { allowed: false, denial }
}
