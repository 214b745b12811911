import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import type { PrincipalId } from '../../base/ids.ts'
import {
  AssignToWorkspaceInput,
  ListWorkspaceAssignmentsQuery,
  WorkspaceAssignment,
  WorkspaceAssignmentList,
} from '../../contract/workspaces.ts'
import { directoryPosition, listEntries } from '../../identity/principal-directory.ts'
import { assignToWorkspace, unassignFromWorkspace } from '../../identity/workspace-assignments.ts'
import { cutPage, decodePageToken, DirectoryPagePosition } from '../page-token.ts'
import { presentAssignment } from '../present/principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/workspaceAssignments'
const params = z.object({ principalId: z.string().regex(/^\d{1,18}$/, 'must be the id of a principal: digits') })

export const workspaceAssignmentRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    {
      schema: {
        summary: 'Assign a principal to the workspace, or give it another workspace role',
        body: AssignToWorkspaceInput,
        response: answers(WorkspaceAssignment),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspaceAssignment.create')
      const { principal, workspaceRole } = request.body
      return presentAssignment(await assignToWorkspace(deps, actor, principal, workspaceRole))
    },
  )

  app.get(
    path,
    {
      schema: {
        summary: 'List who is assigned to the workspace',
        querystring: ListWorkspaceAssignmentsQuery,
        response: answers(WorkspaceAssignmentList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspaceAssignment.read')
      const { pageSize, pageToken, search, kind } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, DirectoryPagePosition) }
      const found = await listEntries(deps, actor.workspaceId, { assigned: true, search, kind }, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, directoryPosition)
      return { workspaceAssignments: rows.map(presentAssignment), nextPageToken }
    },
  )

  app.delete(
    `${path}/:principalId`,
    {
      schema: { summary: 'Take a principal out of the workspace', params, response: answers(z.object({})) },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspaceAssignment.delete')
      await unassignFromWorkspace(deps, actor, request.params.principalId as PrincipalId)
      return {}
    },
  )
}
