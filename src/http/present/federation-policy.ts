import type { FederationPolicy } from '../../contract/federation-policies.ts'
import type * as domain from '../../identity/federation/federation-policies.ts'

export function presentFederationPolicy(policy: domain.FederationPolicy): FederationPolicy {
  const { id, name, issuer, subject, subjectClaim, audiences, jwksUri, issuerCa, createdAt } = policy
  return {
    id,
    name,
    issuer,
    subject,
    subjectClaim,
    audiences: [...audiences],
    jwksUri,
    issuerCa,
    createdAt: createdAt.toISOString(),
  }
}
