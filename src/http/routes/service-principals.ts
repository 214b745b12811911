import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { PageQuery } from '../../contract/paging.ts'
import {
  CreateServicePrincipalInput,
  ServicePrincipal,
  ServicePrincipalList,
  UpdateServicePrincipalInput,
} from '../../contract/service-principals.ts'
import { updateServicePrincipal } from '../../identity/change-service-principal.ts'
import { deleteServicePrincipal } from '../../identity/delete-principal.ts'
import { createServicePrincipal } from '../../identity/create-service-principal.ts'
import { findServicePrincipal, listServicePrincipals } from '../../identity/find-service-principal.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentServicePrincipal } from '../present/service-principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const params = z.object({ clientId: z.uuid('must be a UUID') })
const path = '/v1/servicePrincipals/:clientId'

export const servicePrincipalRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/servicePrincipals',
    {
      schema: {
        summary: 'Create a service principal',
        body: CreateServicePrincipalInput,
        response: answers(ServicePrincipal),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.create')
      return presentServicePrincipal(await createServicePrincipal(deps, actor, request.body))
    },
  )

  app.get(
    '/v1/servicePrincipals',
    { schema: { summary: 'List service principals', querystring: PageQuery, response: answers(ServicePrincipalList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.read')
      const { pageSize, pageToken } = request.query
      const after = decodePageToken(pageToken, z.string().regex(/^\d{1,18}$/))
      const found = await listServicePrincipals(deps, actor.workspaceId, { limit: pageSize + 1, after })
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => row.id)
      return { servicePrincipals: rows.map(presentServicePrincipal), nextPageToken }
    },
  )

  app.get(
    path,
    { schema: { summary: 'Read a service principal', params, response: answers(ServicePrincipal) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.read')
      return presentServicePrincipal(await findServicePrincipal(deps, actor.workspaceId, request.params.clientId))
    },
  )

  app.patch(
    path,
    {
      schema: {
        summary: 'Change, activate or deactivate a service principal',
        params,
        body: UpdateServicePrincipalInput,
        response: answers(ServicePrincipal),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.update')
      const { clientId } = request.params
      return presentServicePrincipal(await updateServicePrincipal(deps, actor, clientId, request.body))
    },
  )

  app.delete(
    path,
    { schema: { summary: 'Delete a service principal and its secrets', params, response: answers(z.object({})) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.delete')
      await deleteServicePrincipal(deps, actor, request.params.clientId)
      return {}
    },
  )
}
