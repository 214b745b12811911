import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import type { PrincipalId } from '../../base/ids.ts'
import {
  CreateGroupInput,
  Group,
  GroupList,
  GroupParams,
  ListGroupsQuery,
  UpdateGroupInput,
} from '../../contract/groups.ts'
import { createGroup } from '../../identity/create-group.ts'
import { deleteGroup } from '../../identity/delete-principal.ts'
import { directoryPosition, findEntry, listEntries } from '../../identity/principal-directory.ts'
import { findVisiblePrincipals } from '../../identity/find-visible-principals.ts'
import { updateGroup } from '../../identity/update-group.ts'
import { cutPage, decodePageToken, DirectoryPagePosition } from '../page-token.ts'
import { presentGroup } from '../present/principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/groups/:group'

export const groupRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/groups',
    { schema: { summary: 'Create a group', body: CreateGroupInput, response: answers(Group) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.create')
      const { members, ...input } = request.body
      const memberIds = await findVisiblePrincipals(deps, actor.workspaceId, members)
      return presentGroup(await createGroup(deps, actor, { ...input, memberIds }))
    },
  )

  app.get(
    '/v1/groups',
    { schema: { summary: 'List groups', querystring: ListGroupsQuery, response: answers(GroupList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.read')
      const { pageSize, pageToken, search, member } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, DirectoryPagePosition) }
      const filter = { kind: 'group', search, withMember: member as PrincipalId | undefined } as const
      const found = await listEntries(deps, actor.workspaceId, filter, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, directoryPosition)
      return { groups: rows.map(presentGroup), nextPageToken }
    },
  )

  app.get(
    path,
    { schema: { summary: 'Read a group', params: GroupParams, response: answers(Group) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.read')
      return presentGroup(await findEntry(deps, actor.workspaceId, 'group', request.params.group))
    },
  )

  app.patch(
    path,
    {
      schema: {
        summary: 'Rename, activate or deactivate a group, change its workspace role',
        params: GroupParams,
        body: UpdateGroupInput,
        response: answers(Group),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.update')
      const { id } = await findEntry(deps, actor.workspaceId, 'group', request.params.group)
      return presentGroup(await updateGroup(deps, actor, id, request.body))
    },
  )

  app.delete(
    path,
    { schema: { summary: 'Delete a group; its members stay', params: GroupParams, response: answers(z.object({})) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.delete')
      const { id } = await findEntry(deps, actor.workspaceId, 'group', request.params.group)
      await deleteGroup(deps, actor, id)
      return {}
    },
  )
}
