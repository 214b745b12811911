import { z } from 'zod'
import { authorize } from '../../../access/policy.ts'
import { PosternError } from '../../../base/errors.ts'
import type { Actor } from '../../../identity/actor.ts'
import { createUser } from '../../../identity/create-user.ts'
import { deleteUser } from '../../../identity/delete-principal.ts'
import type { DirectoryEntry } from '../../../identity/principal-directory.ts'
import { updateUser } from '../../../identity/update-user.ts'
import { unassignFromWorkspace } from '../../../identity/workspace-assignments.ts'
import type { HttpDependencies } from '../../http-dependencies.ts'
import { actorOf, type AddRoutes } from '../../route.ts'
import { PatchBody, patchOperations } from './patch-operations.ts'
import { scimPath } from './present-resource.ts'
import { activeOf, displayNameOf, UserBody, userChangeOf } from './read-user.ts'
import {
  emptyScimAnswers,
  findResource,
  listResources,
  scimAnswers,
  scimQuery,
  scimSelection,
  sendResource,
} from './scim-route.ts'

const params = z.object({ user: z.string() })
const path = `${scimPath}/Users`

/** Users by SCIM: what an identity provider does to the people of a workspace. */
export const scimUserRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    { schema: { summary: 'Create a user', body: UserBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'user.create')
      const { userName: email, externalId, active } = request.body
      const { id } = await createUser(deps, actor, {
        email,
        displayName: displayNameOf(request.body),
        externalId: externalId ?? undefined,
        active: activeOf(active),
        workspaceRole: 'member',
      })
      return sendResource(deps, actor, id, reply, { status: 201 })
    },
  )

  app.get(
    path,
    { schema: { summary: 'List users', querystring: scimQuery, response: scimAnswers } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.read')
      return listResources(deps, actor, 'User', request.query)
    },
  )

  app.get(
    `${path}/:user`,
    { schema: { summary: 'Read a user', params, querystring: scimSelection, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'user.read')
      const { id } = await findResource(deps, actor, 'User', request.params.user)
      return sendResource(deps, actor, id, reply, { selection: request.query })
    },
  )

  app.put(
    `${path}/:user`,
    { schema: { summary: 'Replace a user', params, body: UserBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'user.update')
      const { id } = await findResource(deps, actor, 'User', request.params.user)
      const { userName, externalId = null, active } = request.body
      const displayName = displayNameOf(request.body) ?? userName
      await updateUser(deps, actor, id, { email: userName, displayName, externalId, active: activeOf(active) })
      return sendResource(deps, actor, id, reply)
    },
  )

  app.patch(
    `${path}/:user`,
    { schema: { summary: 'Change attributes of a user', params, body: PatchBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'user.update')
      const { id, displayName } = await findResource(deps, actor, 'User', request.params.user)
      const change = userChangeOf(patchOperations(request.body), displayName)
      if (Object.keys(change).length > 0) await updateUser(deps, actor, id, change)
      return sendResource(deps, actor, id, reply)
    },
  )

  app.delete(
    `${path}/:user`,
    { schema: { summary: 'Delete a user, or take one of another workspace out', params, response: emptyScimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'user.delete')
      const user = await findResource(deps, actor, 'User', request.params.user)
      if (user.isOwn) await deleteOrDeactivate(deps, actor, user)
      else await unassignFromWorkspace(deps, actor, user.id)
      return reply.code(204).send(null)
    },
  )
}

/** A user with a Postgres role cannot be deleted; that the identity provider wants him gone must not wait for it. */
async function deleteOrDeactivate(deps: HttpDependencies, actor: Actor, user: DirectoryEntry): Promise<void> {
  try {
    await deleteUser(deps, actor, user.id)
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || thrown.code !== 'IN_USE') throw thrown
    if (user.active) await updateUser(deps, actor, user.id, { active: false })
    throw new PosternError('IN_USE', `${thrown.message}. The user is deactivated, and has no access any more`, {
      cause: thrown,
      hint: 'Unbind the Postgres roles, then delete the user again.',
    })
  }
}
