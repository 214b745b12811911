import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'
import { PrincipalReference } from './postgres-roles.ts'
import { AssignedRole } from './users.ts'

/** In the path: id, or name. */
export const GroupParams = z.object({ group: z.string().min(1).max(255).describe('Id, or name.') })

const displayName = z
  .string()
  .min(1, 'must not be empty')
  .max(255)
  .describe('Not digits alone. Letter case counts, as it does in the Postgres roles that are named after groups.')

export const CreateGroupInput = z.strictObject({
  displayName,
  workspaceRole: AssignedRole.default('member').describe(
    'What it gives its members; null: not assigned to the workspace, so nobody logs in as it.',
  ),
  members: z.array(PrincipalReference).max(1000).default([]),
})
export const UpdateGroupInput = z.strictObject({
  displayName: displayName.optional(),
  workspaceRole: AssignedRole.optional().describe('The group’s own role in this workspace; null takes it away.'),
  active: z.boolean().optional().describe('False: it gives its members nothing, and nobody logs in as it.'),
})
export const Group = z.object({
  id: z.string(),
  displayName: z.string(),
  active: z.boolean(),
  workspaceRole: AssignedRole.describe('The strongest of its own role and those of the groups that it is in.'),
  assignedRole: AssignedRole,
  ownedHere: z.boolean().describe('Whether this workspace’s administrators may change and delete it.'),
  memberCount: z.number().int().describe('Direct members.'),
  createdAt: z.iso.datetime(),
})
export type Group = z.infer<typeof Group>

export const ListGroupsQuery = PageQuery.extend({
  search: z.string().min(1).max(200).optional().describe('A part of the name, in any letter case.'),
  member: z
    .string()
    .regex(/^\d{1,18}$/, 'must be the id of a principal: digits')
    .optional()
    .describe('Groups that this principal is a direct member of.'),
})
export const GroupList = z.object({ groups: z.array(Group), nextPageToken })

export const GroupMember = z.object({
  id: z.string(),
  kind: z.enum(['user', 'service_principal', 'group']),
  name: z.string(),
  displayName: z.string(),
  active: z.boolean(),
})
export type GroupMember = z.infer<typeof GroupMember>
export const ListGroupMembersQuery = PageQuery.extend({
  search: z.string().min(1).max(200).optional().describe('A part of the name, in any letter case.'),
})
export const GroupMemberList = z.object({ members: z.array(GroupMember), nextPageToken })
export const AddGroupMembersInput = z.strictObject({ members: z.array(PrincipalReference).min(1).max(1000) })
