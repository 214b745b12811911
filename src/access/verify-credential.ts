import type { Clock } from '../base/clock.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { verifyJwt } from '../crypto/jwt.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { credentialType, groupClaim, instanceIdOf, issuerOf, readOnlyClaim } from './credential-claims.ts'
import { VerifiedPrincipal } from './verified-principal.ts'

/** What a password turned out to be. */
export type CredentialCheck =
  | { readonly kind: 'verified'; readonly principal: VerifiedPrincipal }
  /** Signed by us and well-formed, but its hour is over: its holder may be told so. */
  | {
      readonly kind: 'expired'
      readonly workspaceId: WorkspaceId
      readonly principalId: PrincipalId
      readonly credentialId: string
      readonly expiredAt: Date
    }
  /** Has the form of a token, and is not a credential of ours that holds here. Its sender learns nothing more. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not a token at all: an ordinary password. */
  | { readonly kind: 'not-a-credential' }

/**
 * Verifies a database credential presented as a Postgres password: type, signature, issuer, audience and expiry. Expiry is
 * checked here and never again: an open session outlives its credential.
 *
 * @param password what the client sent; anything over 8 KiB or not in compact JWS form is not a credential
 * @returns a value for every outcome; it never throws for what a client sent
 * @see RFC 7519 section 7.2; design section 5b
 */
export async function verifyDatabaseCredential(
  deps: { readonly signingKeys: SigningKeys; readonly clock: Clock },
  password: string,
): Promise<CredentialCheck> {
  let workspaceId: WorkspaceId | undefined
  const findKey = (kid: string) => {
    const key = deps.signingKeys.find(kid, 'database_credential')
    workspaceId = key?.workspaceId
    return key?.publicKey
  }
  const outcome = verifyJwt(password, credentialType, findKey, deps.clock.now())
  if (!outcome.ok && outcome.reason === 'not-a-jwt') return { kind: 'not-a-credential' }
  if (!outcome.ok && outcome.reason !== 'expired') return { kind: 'refused', reason: outcome.reason }

  const { claims } = outcome
  if (workspaceId === undefined || claims.iss !== issuerOf(workspaceId)) {
    return { kind: 'refused', reason: 'wrong-issuer' }
  }
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  const instanceIds = audience.map(instanceIdOf)
  const { sub, jti, exp, [groupClaim]: group, [readOnlyClaim]: readOnly } = claims
  const isScopeKnown =
    (group === undefined || typeof group === 'string') && (readOnly === undefined || readOnly === true)
  if (!jti || !isScopeKnown || !instanceIds.every((id) => id !== undefined)) {
    return { kind: 'refused', reason: 'malformed-claims' }
  }
  const principalId = sub as PrincipalId
  const expiresAt = new Date(exp * 1000)
  if (!outcome.ok) return { kind: 'expired', workspaceId, principalId, credentialId: jti, expiredAt: expiresAt }
  return {
    kind: 'verified',
    principal: VerifiedPrincipal.afterVerification({
      workspaceId,
      principalId,
      proof: 'credential',
      instanceIds,
      groupId: group as PrincipalId | undefined,
      readOnly: readOnly === true,
      credentialId: jti,
      expiresAt,
    }),
  }
}
