import type { Clock } from '../base/clock.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { verifyJwt } from '../crypto/jwt.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { VerifiedPrincipal } from './verified-principal.ts'

/** Media type of an access token (RFC 9068 section 2.1). */
const accessTokenType = 'at+jwt'
/** Only a token that may do everything its principal may. */
const wholeScope = 'all-apis'

/**
 * Verifies an access token that was sent as a Postgres password: type, signature, audience, scope and expiry. Whether an
 * instance takes such a password at all is decided with the login's facts.
 *
 * @returns undefined for whatever is not an access token of ours that holds now
 */
export function verifyAccessTokenPassword(
  deps: { readonly signingKeys: SigningKeys; readonly clock: Clock },
  password: string,
): VerifiedPrincipal | undefined {
  let workspaceId: WorkspaceId | undefined
  const findKey = (kid: string) => {
    const key = deps.signingKeys.find(kid, 'access_token')
    workspaceId = key?.workspaceId
    return key?.publicKey
  }
  const outcome = verifyJwt(password, accessTokenType, findKey, deps.clock.now())
  if (!outcome.ok || workspaceId === undefined) return undefined
  const { aud, sub, jti, exp, scope } = outcome.claims
  // The keys are the workspace's own, for this purpose alone: no other issuer can have signed it.
  const isForWorkspace = (Array.isArray(aud) ? aud : [aud]).includes(workspaceId)
  if (!isForWorkspace || typeof scope !== 'string' || !scope.split(' ').includes(wholeScope)) return undefined
  return VerifiedPrincipal.afterVerification({
    workspaceId,
    principalId: sub as PrincipalId,
    proof: 'access-token',
    instanceIds: [],
    groupId: undefined,
    readOnly: false,
    credentialId: jti ?? 'access-token',
    expiresAt: new Date(exp * 1000),
  })
}
