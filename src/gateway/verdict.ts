import { authorizeLogin } from '../access/authorize-login.ts'
import type { LoginFactsReader } from '../access/login-facts-reader.ts'
import { expiredRefusal, explainDenial, neutralRefusal } from '../access/login-denial.ts'
import type { LoginGrant } from '../access/login-grant.ts'
import type { NativeGrant } from '../access/native-grant.ts'
import type { UpstreamRefusal, UpstreamSession } from '../access/upstream/connect-upstream.ts'
import type { VerifiedPrincipal } from '../access/verified-principal.ts'
import { verifyAccessTokenPassword } from '../access/verify-access-token-password.ts'
import { type CredentialCheck, verifyDatabaseCredential } from '../access/verify-credential.ts'
import { type AuditEntry, auditReason } from '../audit/audit-record.ts'
import type { Clock } from '../base/clock.ts'
import type { PosternError } from '../base/errors.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import type { GatewayMetrics } from '../telemetry/metrics.ts'
import type { LoginTarget } from './resolve-target.ts'

export type LoginOutcome =
  | {
      readonly allowed: true
      readonly grant: LoginGrant | NativeGrant
      /** Open already where the database itself checked the password. */
      readonly upstream?: UpstreamSession
    }
  | { readonly allowed: false; readonly refusal: PosternError | UpstreamRefusal }

/** What a login comes to, and what the audit is to say of it. */
export interface Verdict {
  readonly outcome: LoginOutcome
  readonly entry: Partial<AuditEntry>
  /** Whoever is not known to us waits for the floor. */
  readonly neutral: boolean
}

export interface JudgeDependencies {
  readonly signingKeys: SigningKeys
  readonly facts: LoginFactsReader
  readonly clock: Clock
  readonly metrics: GatewayMetrics
}

/**
 * Judges what was sent as the password, as long as it is a token: a database credential, or an access token where the instance
 * takes one.
 *
 * @returns undefined where it is an ordinary password
 * @throws PosternError STORE_UNAVAILABLE | TARGET_UNNAMED
 */
export async function judgeToken(
  deps: JudgeDependencies,
  password: string,
  target: LoginTarget,
): Promise<Verdict | undefined> {
  const check = await verifyDatabaseCredential(deps, password)
  switch (check.kind) {
    case 'not-a-credential':
      return isTokenInDisguise(password) ? neutralVerdict(target, 'wrong-type') : undefined
    case 'refused': {
      const principal = check.reason === 'wrong-type' ? verifyAccessTokenPassword(deps, password) : undefined
      // A token names no instance, so the login has to.
      if (principal === undefined || target.instanceName === undefined) return neutralVerdict(target, check.reason)
      return judgePrincipal(deps, principal, target)
    }
    case 'expired':
      return expiredVerdict(deps, check)
    case 'verified':
      return judgePrincipal(deps, check.principal, target)
  }
}

/** A refusal that says nothing to a stranger, and its reason to the audit. */
export function neutralVerdict(target: LoginTarget, reason: string): Verdict {
  return {
    outcome: { allowed: false, refusal: neutralRefusal(target.roleName) },
    entry: { reason: auditReason(reason) },
    neutral: true,
  }
}

/** A token with something around it is no password either: it must not leave Postern. */
function isTokenInDisguise(password: string): boolean {
  return /(?:^|[^\w-])eyJ[\w-]{8,}\.[\w-]{8,}\./.test(password)
}

function expiredVerdict(deps: JudgeDependencies, check: CredentialCheck & { kind: 'expired' }): Verdict {
  const { workspaceId, principalId, credentialId, expiredAt } = check
  return {
    outcome: { allowed: false, refusal: expiredRefusal(expiredAt, deps.clock.now()) },
    entry: { reason: 'CREDENTIAL_EXPIRED', workspaceId, actorId: principalId, detail: { credentialId } },
    neutral: false,
  }
}

async function judgePrincipal(
  deps: JudgeDependencies,
  principal: VerifiedPrincipal,
  target: LoginTarget,
): Promise<Verdict> {
  if (target.workspaceId !== undefined && target.workspaceId !== principal.workspaceId) {
    return neutralVerdict(target, 'other-workspace')
  }
  const askedAt = performance.now()
  const { decision, principalName, source } = await authorizeLogin(deps.facts, principal, target)
  deps.metrics.storeAnswered(performance.now() - askedAt)
  if (!decision.allowed && principal.proof === 'access-token') {
    // Where no access token is taken, it is as good as any other wrong password.
    const { denial } = decision
    if (denial === 'access-token-not-accepted' || denial === 'instance-not-found')
      return neutralVerdict(target, 'wrong-type')
  }
  const entry = {
    workspaceId: principal.workspaceId,
    actorId: principal.principalId,
    ...(principalName !== undefined && { actorName: principalName }),
    detail: {
      credentialId: principal.credentialId,
      factsFrom: source,
      ...(principal.proof === 'access-token' && { proof: principal.proof }),
      ...(principal.groupId !== undefined && { groupId: principal.groupId }),
      ...(principal.readOnly && { readOnly: true }),
    },
  }
  if (!decision.allowed) {
    const refusal = explainDenial(decision.denial, target, decision.state)
    return {
      outcome: { allowed: false, refusal },
      entry: { ...entry, reason: auditReason(decision.denial) },
      neutral: false,
    }
  }
  const { instanceId, instanceName } = decision.grant.fields
  return {
    outcome: { allowed: true, grant: decision.grant },
    entry: { ...entry, targetId: instanceId, targetName: instanceName },
    neutral: false,
  }
}
