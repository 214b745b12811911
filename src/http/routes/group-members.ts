import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import type { PrincipalId } from '../../base/ids.ts'
import {
  AddGroupMembersInput,
  GroupMemberList,
  GroupParams,
  Group,
  ListGroupMembersQuery,
} from '../../contract/groups.ts'
import { PosternError } from '../../base/errors.ts'
import { findVisiblePrincipals } from '../../identity/find-visible-principals.ts'
import { directoryPosition, findEntry, listEntries } from '../../identity/principal-directory.ts'
import { updateGroup } from '../../identity/update-group.ts'
import { cutPage, decodePageToken, DirectoryPagePosition } from '../page-token.ts'
import { presentGroup, presentGroupMember } from '../present/principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/groups/:group/members'

export const groupMemberRoutes: AddRoutes = (app, deps) => {
  app.get(
    path,
    {
      schema: {
        summary: 'List the direct members of a group',
        params: GroupParams,
        querystring: ListGroupMembersQuery,
        response: answers(GroupMemberList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.read')
      const { pageSize, pageToken, search } = request.query
      const { id: memberOf } = await findEntry(deps, actor.workspaceId, 'group', request.params.group)
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, DirectoryPagePosition) }
      const found = await listEntries(deps, actor.workspaceId, { memberOf, search }, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, directoryPosition)
      return { members: rows.map(presentGroupMember), nextPageToken }
    },
  )

  app.post(
    path,
    {
      schema: {
        summary: 'Add members to a group',
        params: GroupParams,
        body: AddGroupMembersInput,
        response: answers(Group),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.update')
      const { id } = await findEntry(deps, actor.workspaceId, 'group', request.params.group)
      const addMembers = await findVisiblePrincipals(deps, actor.workspaceId, request.body.members)
      return presentGroup(await updateGroup(deps, actor, id, { addMembers }))
    },
  )

  app.delete(
    `${path}/:memberId`,
    {
      schema: {
        summary: 'Remove a direct member from a group',
        params: GroupParams.extend({
          memberId: z.string().regex(/^\d{1,18}$/, 'must be the id of a principal: digits'),
        }),
        response: answers(Group),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'group.update')
      const { id } = await findEntry(deps, actor.workspaceId, 'group', request.params.group)
      const memberId = request.params.memberId as PrincipalId
      const [member] = await listEntries(deps, actor.workspaceId, { id: memberId, memberOf: id }, { limit: 1 })
      if (member === undefined) {
        throw new PosternError('NOT_FOUND', `'${memberId}' is no direct member of the group`)
      }
      return presentGroup(await updateGroup(deps, actor, id, { removeMembers: [memberId] }))
    },
  )
}
