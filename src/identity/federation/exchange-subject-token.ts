import { auditReason } from '../../audit/audit-record.ts'
import { recordAudit } from '../../audit/record-audit.ts'
import { assertNever } from '../../base/assert-never.ts'
import type { PrincipalId, WorkspaceId } from '../../base/ids.ts'
import { listFederationPolicies } from '../../store/federation-policies.ts'
import type { Store } from '../../store/store.ts'
import { type SubjectTokenRefusal, verifySubjectToken } from './verify-subject-token.ts'

/** One request of the token exchange, after its client was found. */
export interface SubjectTokenExchange {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly clientId: string
  readonly subjectToken: string
  /** Token endpoint of the workspace. */
  readonly defaultAudience: string
  readonly peer: string
  readonly requestId: string
}

/**
 * Decides whether a token of another issuer gets an access token of a service principal, and records it either way.
 * @returns why not, in words for the caller: one sentence for whoever holds no token of the issuer, the reason for who does
 * @throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID | STORE_UNAVAILABLE
 */
export async function exchangeSubjectToken(
  deps: { readonly store: Store } & Parameters<typeof verifySubjectToken>[0],
  exchange: SubjectTokenExchange,
): Promise<{ readonly ok: true } | { readonly ok: false; readonly explanation: string }> {
  const { principalId, clientId, subjectToken, defaultAudience } = exchange
  const policies = await listFederationPolicies(deps.store.db, principalId)
  const outcome = await verifySubjectToken(deps, policies, subjectToken, defaultAudience)
  const { policy } = outcome
  await recordAudit(deps.store.db, {
    workspaceId: exchange.workspaceId,
    peer: exchange.peer,
    requestId: exchange.requestId,
    action: 'accessToken.issue',
    outcome: outcome.ok ? 'allowed' : 'denied',
    reason: outcome.ok ? null : auditReason(`subject-token-${outcome.reason}`),
    actorId: principalId,
    actorName: clientId,
    detail: {
      ...(policy !== null && { policy: policy.name, issuer: policy.issuer, subject: policy.subject }),
      ...(outcome.ok && outcome.tokenId !== null && { subjectTokenId: outcome.tokenId }),
    },
  })
  return outcome.ok ? { ok: true } : { ok: false, explanation: explain(outcome.reason) }
}

function explain(reason: SubjectTokenRefusal): string {
  switch (reason) {
    case 'malformed':
    case 'no-policy':
    case 'signature':
      return 'The subject token is not accepted'
    case 'expired':
      return 'The subject token has expired'
    case 'not-yet':
      return 'The subject token is not valid yet'
    case 'audience':
      return 'The subject token is for another audience than the federation policy names'
    case 'subject':
      return 'The subject token is of another subject than the federation policy names'
    default:
      return assertNever(reason)
  }
}
