import { z } from 'zod'
import { authorize } from '../../../access/policy.ts'
import { createServicePrincipal } from '../../../identity/create-service-principal.ts'
import { updateServicePrincipal } from '../../../identity/change-service-principal.ts'
import { deleteServicePrincipal } from '../../../identity/delete-principal.ts'
import { unassignFromWorkspace } from '../../../identity/workspace-assignments.ts'
import { actorOf, type AddRoutes } from '../../route.ts'
import { PatchBody, patchOperations } from './patch-operations.ts'
import { scimPath } from './present-resource.ts'
import { activeOf, ServicePrincipalBody, userChangeOf } from './read-user.ts'
import { scimError } from './scim-error.ts'
import {
  emptyScimAnswers,
  findResource,
  listResources,
  scimAnswers,
  scimQuery,
  scimSelection,
  sendResource,
} from './scim-route.ts'

const params = z.object({ servicePrincipal: z.string() })
const path = `${scimPath}/ServicePrincipals`

/** Service principals in the words of SCIM, as clients of the compatible API manage them. */
export const scimServicePrincipalRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    { schema: { summary: 'Create a service principal', body: ServicePrincipalBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.create')
      const { displayName, externalId, active } = request.body
      const isActive = activeOf(active)
      const { id, clientId } = await createServicePrincipal(deps, actor, {
        displayName,
        workspaceRole: 'member',
        externalId: externalId ?? undefined,
      })
      if (!isActive) await updateServicePrincipal(deps, actor, clientId, { active: false })
      return sendResource(deps, actor, id, reply, { status: 201 })
    },
  )

  app.get(
    path,
    { schema: { summary: 'List service principals', querystring: scimQuery, response: scimAnswers } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.read')
      return listResources(deps, actor, 'ServicePrincipal', request.query)
    },
  )

  app.get(
    `${path}/:servicePrincipal`,
    { schema: { summary: 'Read a service principal', params, querystring: scimSelection, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.read')
      const { id } = await findResource(deps, actor, 'ServicePrincipal', request.params.servicePrincipal)
      return sendResource(deps, actor, id, reply, { selection: request.query })
    },
  )

  app.put(
    `${path}/:servicePrincipal`,
    {
      schema: { summary: 'Replace a service principal', params, body: ServicePrincipalBody, response: scimAnswers },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.update')
      const { id, name } = await findResource(deps, actor, 'ServicePrincipal', request.params.servicePrincipal)
      const { displayName, externalId = null, active } = request.body
      await updateServicePrincipal(deps, actor, name, { displayName, externalId, active: activeOf(active) })
      return sendResource(deps, actor, id, reply)
    },
  )

  app.patch(
    `${path}/:servicePrincipal`,
    { schema: { summary: 'Change a service principal', params, body: PatchBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.update')
      const found = await findResource(deps, actor, 'ServicePrincipal', request.params.servicePrincipal)
      const { email, ...change } = userChangeOf(patchOperations(request.body), found.displayName)
      if (email !== undefined)
        throw scimError('mutability', 'The application id is chosen by Postern and never changes')
      if (Object.keys(change).length > 0) await updateServicePrincipal(deps, actor, found.name, change)
      return sendResource(deps, actor, found.id, reply)
    },
  )

  app.delete(
    `${path}/:servicePrincipal`,
    { schema: { summary: 'Delete a service principal and its secrets', params, response: emptyScimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'servicePrincipal.delete')
      const found = await findResource(deps, actor, 'ServicePrincipal', request.params.servicePrincipal)
      if (found.isOwn) await deleteServicePrincipal(deps, actor, found.name)
      else await unassignFromWorkspace(deps, actor, found.id)
      return reply.code(204).send(null)
    },
  )
}
