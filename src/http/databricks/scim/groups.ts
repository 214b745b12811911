import { z } from 'zod'
import { authorize } from '../../../access/policy.ts'
import { PosternError } from '../../../base/errors.ts'
import { createGroup } from '../../../identity/create-group.ts'
import { deleteGroup } from '../../../identity/delete-principal.ts'
import { updateGroup } from '../../../identity/update-group.ts'
import { unassignFromWorkspace } from '../../../identity/workspace-assignments.ts'
import { actorOf, type AddRoutes } from '../../route.ts'
import { PatchBody, patchOperations } from './patch-operations.ts'
import { scimPath } from './present-resource.ts'
import { GroupBody, groupChangeOf, memberIdsOf } from './read-group.ts'
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

const params = z.object({ group: z.string() })
const path = `${scimPath}/Groups`

/** Groups by SCIM. A group that is created is assigned to the workspace as Member. */
export const scimGroupRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    { schema: { summary: 'Create a group', body: GroupBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'group.create')
      const { displayName, externalId, members } = request.body
      const { id } = await knownMembers(
        createGroup(deps, actor, {
          displayName,
          externalId: externalId ?? undefined,
          memberIds: memberIdsOf(members ?? []),
          workspaceRole: 'member',
        }),
      )
      return sendResource(deps, actor, id, reply, { status: 201 })
    },
  )

  app.get(
    path,
    { schema: { summary: 'List groups', querystring: scimQuery, response: scimAnswers } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.read')
      return listResources(deps, actor, 'Group', request.query)
    },
  )

  app.get(
    `${path}/:group`,
    { schema: { summary: 'Read a group', params, querystring: scimSelection, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'group.read')
      const { id } = await findResource(deps, actor, 'Group', request.params.group)
      return sendResource(deps, actor, id, reply, { selection: request.query })
    },
  )

  app.put(
    `${path}/:group`,
    { schema: { summary: 'Replace a group and its members', params, body: GroupBody, response: scimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'group.update')
      const { id } = await findResource(deps, actor, 'Group', request.params.group)
      const { displayName, externalId = null, members } = request.body
      const change = { displayName, externalId, setMembers: memberIdsOf(members ?? []) }
      await knownMembers(updateGroup(deps, actor, id, change))
      return sendResource(deps, actor, id, reply)
    },
  )

  app.patch(
    `${path}/:group`,
    { schema: { summary: 'Change a group or its members', params, body: PatchBody, response: emptyScimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'group.update')
      const { id } = await findResource(deps, actor, 'Group', request.params.group)
      await knownMembers(updateGroup(deps, actor, id, groupChangeOf(patchOperations(request.body))))
      // A group may have thousands of members, and is changed one by one.
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `${path}/:group`,
    { schema: { summary: 'Delete a group; its members stay', params, response: emptyScimAnswers } },
    async (request, reply) => {
      const actor = actorOf(request)
      authorize(actor, 'group.delete')
      const group = await findResource(deps, actor, 'Group', request.params.group)
      if (group.isOwn) await deleteGroup(deps, actor, group.id)
      else await unassignFromWorkspace(deps, actor, group.id)
      return reply.code(204).send(null)
    },
  )
}

/** A member that is not there is a wrong value; 404 would say that the group is not. */
async function knownMembers<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'NOT_FOUND') throw scimError('invalidValue', thrown.message)
    throw thrown
  }
}
