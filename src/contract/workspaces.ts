import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'
import { PrincipalReference } from './postgres-roles.ts'
import { WorkspaceRole } from './service-principals.ts'

/** In the path: id, or name. */
export const WorkspaceParams = z.object({ workspace: z.string().min(1).max(63).describe('Id, or name.') })

const name = z.string().min(1).max(63)
const hosts = z
  .array(z.string().min(1).max(260))
  .min(1)
  .max(20)
  .describe('Host header values that select it, compared exactly: NAME or NAME:PORT.')
const gatewayDomain = z.string().min(1).max(190).describe('Domain below which the host names of its instances stand.')

export const CreateWorkspaceInput = z.strictObject({
  name,
  hosts,
  gatewayDomain,
  admin: PrincipalReference.optional().describe('Its first Workspace Admin. Default: the caller.'),
})
export const UpdateWorkspaceInput = z.strictObject({
  name: name.optional(),
  hosts: hosts.optional(),
  gatewayDomain: gatewayDomain.optional(),
})
export const Workspace = z.object({
  id: z.string(),
  name: z.string(),
  hosts: z.array(z.string()),
  gatewayDomain: z.string(),
  first: z.boolean().describe('Whether its administrators create and change workspaces.'),
})
export type Workspace = z.infer<typeof Workspace>
export const WorkspaceList = z.object({ workspaces: z.array(Workspace), nextPageToken })

/** Who is assigned to the workspace, and as what. */
export const WorkspaceAssignment = z.object({
  principal: z.object({ id: z.string(), kind: z.enum(['user', 'service_principal', 'group']), name: z.string() }),
  workspaceRole: WorkspaceRole,
})
export type WorkspaceAssignment = z.infer<typeof WorkspaceAssignment>
export const AssignToWorkspaceInput = z.strictObject({
  principal: PrincipalReference.describe(
    'Also one of another workspace: by id, e-mail or client id. Groups of other workspaces by id only.',
  ),
  workspaceRole: WorkspaceRole,
})
export const ListWorkspaceAssignmentsQuery = PageQuery.extend({
  search: z.string().min(1).max(200).optional().describe('A part of the name, in any letter case.'),
  kind: z.enum(['user', 'service_principal', 'group']).optional(),
})
export const WorkspaceAssignmentList = z.object({ workspaceAssignments: z.array(WorkspaceAssignment), nextPageToken })
