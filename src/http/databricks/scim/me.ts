import { findProvisioned } from '../../../identity/provisioned-principals.ts'
import { actorOf, type AddRoutes } from '../../route.ts'
import { presentMe, scimPath, selectAttributes } from './present-resource.ts'
import { scimAnswers, scimSelection } from './scim-route.ts'

/** `GET …/Me`: who the caller is. Real clients take from it the user name of their Postgres sessions. */
export const scimMeRoutes: AddRoutes = (app, deps) => {
  app.get(
    `${scimPath}/Me`,
    { schema: { summary: 'Read who the caller is', querystring: scimSelection, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      const me = await findProvisioned(deps, actor.workspaceId, actor.principalId)
      reply.header('x-databricks-org-id', actor.workspaceId)
      return selectAttributes(presentMe(me), request.query) as { schemas: string[] }
    },
  )
}
