import { issueDatabaseCredential } from '../../access/mint-credential.ts'
import { PosternError } from '../../base/errors.ts'
import { DatabaseCredential, GenerateDatabaseCredentialInput } from '../../contract/database-credentials.ts'
import { AttemptLimit } from '../../identity/attempt-limit.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'

/** `POST /api/2.0/database/credentials`: a one-hour password for Postgres, as the compatible API words it. */
export const databaseCredentialRoutes: AddRoutes = (app, deps) => {
  // A pool that asks for a credential per session stays far below; a loop gone wild does not fill the audit.
  const limit = new AttemptLimit({
    attempts: 1200,
    windowSeconds: 60,
    publicMessage: 'Too many database credentials in a short time: keep one until it expires',
  })

  app.post(
    '/api/2.0/database/credentials',
    {
      schema: {
        summary: 'Generate a database credential',
        body: GenerateDatabaseCredentialInput,
        response: compatibleAnswers(DatabaseCredential),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { request_id: requestId, instance_names: instanceNames = [], claims = [] } = request.body
      if (claims.length > 0) throw unsupportedClaims(claims)
      if (instanceNames.length === 0) {
        throw new PosternError('INVALID_ARGUMENT', 'At least one of instance_names or claims is required')
      }
      await limit.take(actor.principalId)
      const { token, expiresAt } = await issueDatabaseCredential(deps, actor, { requestId, instanceNames })
      reply.header('cache-control', 'no-store')
      return { token: token.reveal(), expiration_time: expiresAt.toISOString().replace(/\.\d+Z$/, 'Z') }
    },
  )
}

/** No claim is ignored: a caller that asked for less than everything must not get everything. */
function unsupportedClaims(claims: readonly unknown[]): PosternError {
  const names = claims.map((claim) => {
    const permissionSet = (claim as { permission_set?: unknown } | null)?.permission_set
    return typeof permissionSet === 'string'
      ? `permission_set ${permissionSet.slice(0, 40)}`
      : 'a claim without permission_set'
  })
  return new PosternError(
    'INVALID_ARGUMENT',
    `claims cannot be honoured: ${[...new Set(names)].join(', ')}. Leave claims out to get a credential for the Postgres roles bound to you`,
  )
}
