import { Me } from '../../contract/service-principals.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

export const meRoutes: AddRoutes = (app) => {
  app.get('/v1/me', { schema: { summary: 'Who the caller is', response: answers(Me) } }, (request) => {
    const { principalId, kind, name, workspaceId, workspaceRole } = actorOf(request)
    return { id: principalId, kind, name, workspaceId, workspaceRole }
  })
}
