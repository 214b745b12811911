import type { FastifyRequest } from 'fastify'
import { credentialType } from '../access/credential-claims.ts'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import { type JwtRefusal, type JwtVerification, verifyJwt } from '../crypto/jwt.ts'
import type { Actor } from '../identity/actor.ts'
import { type ActorReading, readActor } from '../identity/read-actor.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { oauthMountPath } from '../oauth/authorization-server.ts'
import type { RequestWorkspaces } from './workspace-of-request.ts'

/** Media type of an access token (RFC 9068 section 2.1). */
const accessTokenType = 'at+jwt'

type AuthenticationDependencies = Parameters<typeof readActor>[0] & {
  readonly signingKeys: SigningKeys
  readonly clock: Clock
  readonly workspaces: RequestWorkspaces
}

/**
 * Who sends the request: the Bearer access token (RFC 6750) is verified with the keys of the workspace that the Host header
 * selects, then its principal is read as it is now.
 *
 * @throws PosternError UNAUTHENTICATED | ACCESS_TOKEN_EXPIRED | PRINCIPAL_INACTIVE
 */
export async function authenticate(deps: AuthenticationDependencies, request: FastifyRequest): Promise<Actor> {
  const workspace = await deps.workspaces.of(request)
  const token = bearerToken(request.headers.authorization)
  const now = deps.clock.now()
  const findKey = (purpose: 'access_token' | 'database_credential') => (kid: string) => {
    const key = deps.signingKeys.find(kid, purpose)
    return key?.workspaceId === workspace.id ? key.publicKey : undefined
  }
  const outcome = verifyJwt(token, accessTokenType, findKey('access_token'), now)
  if (!outcome.ok) {
    const asCredential = verifyJwt(token, credentialType, findKey('database_credential'), now)
    throw refusal(outcome, asCredential)
  }
  const { iss, aud, sub } = outcome.claims
  const audience = typeof aud === 'string' ? [aud] : aud
  if (iss !== deps.workspaces.originOf(workspace) + oauthMountPath || !audience.includes(workspace.id)) {
    throw new PosternError('UNAUTHENTICATED', 'The access token is not for this workspace')
  }
  const reading = await readActor(deps, {
    workspaceId: workspace.id,
    principalId: sub as PrincipalId,
    requestId: request.id,
    peer: request.ip,
  })
  if (!reading.ok) throw noActor(reading.reason)
  return reading.actor
}

/** @throws PosternError UNAUTHENTICATED when there is none */
function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) {
    throw new PosternError('UNAUTHENTICATED', 'An access token is required', { detail: { sentNothing: true } })
  }
  const match = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)
  if (match?.[1] === undefined) {
    throw new PosternError('UNAUTHENTICATED', 'The Authorization header must hold a Bearer access token')
  }
  return match[1]
}

/** Only what we signed ourselves is told apart; for anything else one sentence must do. */
function refusal(asAccessToken: JwtVerification & { ok: false }, asCredential: JwtVerification): PosternError {
  if (asCredential.ok || asCredential.reason === 'expired') {
    return new PosternError('UNAUTHENTICATED', 'This is a database credential, not an access token', {
      hint: 'A database credential is the password of a Postgres login. The API takes an access token from the token endpoint.',
    })
  }
  if (asAccessToken.reason === 'expired') {
    return new PosternError('ACCESS_TOKEN_EXPIRED', 'The access token has expired')
  }
  const reason: JwtRefusal = asAccessToken.reason
  return new PosternError('UNAUTHENTICATED', 'The access token is not valid here', { detail: { reason } })
}

function noActor(reason: Extract<ActorReading, { ok: false }>['reason']): PosternError {
  switch (reason) {
    case 'inactive':
      return new PosternError('PRINCIPAL_INACTIVE', 'The principal of this access token is deactivated')
    case 'unknown':
    case 'not-in-workspace':
      return new PosternError('UNAUTHENTICATED', 'The principal of this access token does not belong to this workspace')
  }
}
