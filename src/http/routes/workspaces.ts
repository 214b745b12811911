import { authorize } from '../../access/policy.ts'
import { PageQuery } from '../../contract/paging.ts'
import { z } from 'zod'
import {
  CreateWorkspaceInput,
  UpdateWorkspaceInput,
  Workspace,
  WorkspaceList,
  WorkspaceParams,
} from '../../contract/workspaces.ts'
import { createWorkspace } from '../../identity/create-workspace.ts'
import { findWorkspace, listWorkspaces } from '../../identity/find-workspace.ts'
import { updateWorkspace } from '../../identity/update-workspace.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentWorkspace } from '../present/workspace.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/workspaces/:workspace'

export const workspaceRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/workspaces',
    { schema: { summary: 'Create a workspace', body: CreateWorkspaceInput, response: answers(Workspace) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspace.create')
      return presentWorkspace(await createWorkspace(deps, actor, request.body))
    },
  )

  app.get(
    '/v1/workspaces',
    { schema: { summary: 'List workspaces', querystring: PageQuery, response: answers(WorkspaceList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspace.read')
      const { pageSize, pageToken } = request.query
      const all = await listWorkspaces(deps, actor)
      const start = all.findIndex(({ id }) => id === decodePageToken(pageToken, z.string())) + 1
      const { rows, nextPageToken } = cutPage(all.slice(start), pageSize, ({ id }) => id)
      return { workspaces: rows.map(presentWorkspace), nextPageToken }
    },
  )

  app.get(
    path,
    { schema: { summary: 'Read a workspace', params: WorkspaceParams, response: answers(Workspace) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspace.read')
      return presentWorkspace(await findWorkspace(deps, actor, request.params.workspace))
    },
  )

  app.patch(
    path,
    {
      schema: {
        summary: 'Change name, hosts and gateway domain of a workspace',
        params: WorkspaceParams,
        body: UpdateWorkspaceInput,
        response: answers(Workspace),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'workspace.update')
      return presentWorkspace(await updateWorkspace(deps, actor, request.params.workspace, request.body))
    },
  )
}
