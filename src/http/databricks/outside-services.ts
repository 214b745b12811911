import { z } from 'zod'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'

/** What real clients call by the way. */
export const outsideServiceRoutes: AddRoutes = (app) => {
  // Usage reports of the command line: taken, so that it does not try again, and dropped.
  app.post(
    '/telemetry-ext',
    {
      schema: {
        summary: 'Take a usage report of a client and drop it',
        body: z.object({ protoLogs: z.array(z.unknown()).nullish() }).nullish(),
        response: compatibleAnswers(z.object({ errors: z.array(z.string()), numProtoSuccess: z.number().int() })),
      },
    },
    async (request) => ({ errors: [], numProtoSuccess: request.body?.protoLogs?.length ?? 0 }),
  )

  app.get(
    '/api/2.0/tokens/introspect',
    { schema: { summary: 'Read which workspace an access token is for', response: compatibleAnswers(TokenScope) } },
    async (request) => ({
      principal_context: { authentication_scope: { workspace_id: Number(actorOf(request).workspaceId) } },
    }),
  )
}

const TokenScope = z.object({
  principal_context: z.object({ authentication_scope: z.object({ workspace_id: z.number().int() }) }),
})
