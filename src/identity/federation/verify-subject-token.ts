import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose'
import { type Clock, epochSeconds } from '../../base/clock.ts'
import { PosternError } from '../../base/errors.ts'
import type { FederationPolicyRow } from '../../store/federation-policies.ts'
import type { IssuerKeys } from '../issuers/issuer-keys.ts'

/** Public-key algorithms alone: with HS256 whoever reads an issuer's public key could sign. */
const ALGORITHMS = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ')
const MAX_TOKEN_CHARS = 16 * 1024
/** For clocks that go before ours; an expiry has no such leeway. */
const LEEWAY_SECONDS = 30

/** Why a token was not taken. What comes before `expired` may come from anybody; the rest only from who holds a token of the issuer. */
export type SubjectTokenRefusal =
  'malformed' | 'no-policy' | 'signature' | 'expired' | 'not-yet' | 'audience' | 'subject'

export type SubjectTokenVerification =
  | { readonly ok: true; readonly policy: FederationPolicyRow; readonly tokenId: string | null }
  | { readonly ok: false; readonly reason: SubjectTokenRefusal; readonly policy: FederationPolicyRow | null }

/**
 * Whether a token of another issuer stands for a service principal. Its issuer must be one that a policy of this service principal
 * names; only then is anything fetched, so a made-up token reaches nobody. Signature, times, audience and subject follow.
 *
 * @param policies those of the service principal that the request names
 * @param defaultAudience what a policy without audiences asks for
 * @throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID
 */
export async function verifySubjectToken(
  deps: { readonly issuerKeys: IssuerKeys; readonly clock: Clock },
  policies: readonly FederationPolicyRow[],
  token: string,
  defaultAudience: string,
): Promise<SubjectTokenVerification> {
  const issuer = issuerOf(token)
  if (issuer === undefined) return { ok: false, reason: 'malformed', policy: null }
  const candidates = policies.filter((policy) => policy.issuer === issuer)
  let refusal: SubjectTokenVerification = { ok: false, reason: 'no-policy', policy: null }
  for (const policy of candidates) {
    const outcome = await verifyBy(deps, policy, token, defaultAudience)
    if (outcome.ok) return outcome
    refusal = outcome
  }
  return refusal
}

async function verifyBy(
  { issuerKeys, clock }: { readonly issuerKeys: IssuerKeys; readonly clock: Clock },
  policy: FederationPolicyRow,
  token: string,
  defaultAudience: string,
): Promise<SubjectTokenVerification> {
  const refused = (reason: SubjectTokenRefusal): SubjectTokenVerification => ({ ok: false, reason, policy })
  const now = clock.now()
  let claims: JWTPayload
  try {
    const getKey = issuerKeys.find.bind(issuerKeys, policy)
    const verified = await jwtVerify(token, getKey, {
      algorithms: ALGORITHMS,
      issuer: policy.issuer,
      requiredClaims: ['exp', 'aud'],
      currentDate: now,
      clockTolerance: LEEWAY_SECONDS,
    })
    claims = verified.payload
  } catch (thrown) {
    return refused(refusalOf(thrown))
  }
  if ((claims.exp ?? 0) <= epochSeconds(now)) return refused('expired')
  if ((claims.iat ?? 0) > epochSeconds(now) + LEEWAY_SECONDS) return refused('not-yet')
  const audiences = policy.audiences.length === 0 ? [defaultAudience] : policy.audiences
  const presented = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? [])
  if (!presented.some((audience) => audiences.includes(audience))) return refused('audience')
  if (claims[policy.subjectClaim] !== policy.subject) return refused('subject')
  return { ok: true, policy, tokenId: typeof claims.jti === 'string' ? claims.jti.slice(0, 128) : null }
}

/** `iss`, unverified: it only chooses whose keys are asked. */
function issuerOf(token: string): string | undefined {
  if (token.length > MAX_TOKEN_CHARS) return undefined
  try {
    return decodeJwt(token).iss
  } catch (thrown) {
    if (thrown instanceof errors.JOSEError || thrown instanceof TypeError) return undefined
    throw thrown
  }
}

function refusalOf(thrown: unknown): SubjectTokenRefusal {
  if (thrown instanceof PosternError) throw thrown
  if (thrown instanceof errors.JWTExpired) return 'expired'
  if (thrown instanceof errors.JWTClaimValidationFailed) return thrown.claim === 'nbf' ? 'not-yet' : 'malformed'
  // A key of the wrong type for `alg` is a TypeError of jose.
  if (thrown instanceof errors.JOSEError || thrown instanceof TypeError) return 'signature'
  throw thrown
}
