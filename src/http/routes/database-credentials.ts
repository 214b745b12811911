import { issueDatabaseCredential } from '../../access/mint-credential.ts'
import { CreateDatabaseCredentialInput, IssuedDatabaseCredential } from '../../contract/database-credentials.ts'
import { AttemptLimit } from '../../identity/attempt-limit.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

export const ownDatabaseCredentialRoutes: AddRoutes = (app, deps) => {
  // A pool that asks for a credential per session stays far below; a loop gone wild does not fill the audit.
  const limit = new AttemptLimit({
    attempts: 1200,
    windowSeconds: 60,
    publicMessage: 'Too many database credentials in a short time: keep one until it expires',
  })

  app.post(
    '/v1/databaseCredentials',
    {
      schema: {
        summary: 'Get a database credential: a password for Postgres, for an hour at most',
        body: CreateDatabaseCredentialInput,
        response: answers(IssuedDatabaseCredential),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      await limit.take(actor.principalId)
      const { token, expiresAt } = await issueDatabaseCredential(deps, actor, request.body)
      reply.header('cache-control', 'no-store')
      return { token: token.reveal(), expiresAt: expiresAt.toISOString() }
    },
  )
}
