import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'
import { WorkspaceRole } from './service-principals.ts'

/** In the path: id, or e-mail. */
export const UserParams = z.object({ user: z.string().min(1).max(254).describe('Id, or e-mail.') })

const password = z.string().max(1024).describe('12 to 1024 characters. Write-only: no answer ever holds it.')
const email = z.string().min(3).max(254)
const displayName = z.string().min(1, 'must not be empty').max(255)

/** A workspace role of one's own, or none. */
export const AssignedRole = WorkspaceRole.nullable()

export const CreateUserInput = z.strictObject({
  email,
  displayName: displayName.optional().describe('Default: the e-mail.'),
  workspaceRole: AssignedRole.default('member').describe('Null: in the workspace only through groups.'),
  password: password
    .optional()
    .describe('Absent: no password; a reset secret sets one, or single sign-on needs none. Write-only.'),
})

export const UpdateUserInput = z.strictObject({
  email: email.optional().describe('Postgres roles keep their names.'),
  displayName: displayName.optional(),
  workspaceRole: AssignedRole.optional().describe('The user’s own role in this workspace; null takes it away.'),
  active: z
    .boolean()
    .optional()
    .describe('False takes all access at once: no new token, none honoured, no refresh, no login.'),
})

export const User = z.object({
  id: z.string(),
  email: z.string(),
  displayName: z.string(),
  active: z.boolean(),
  workspaceRole: AssignedRole.describe(
    'The strongest of the user’s own role and those of groups; null: not in the workspace.',
  ),
  assignedRole: AssignedRole.describe('The user’s own role alone.'),
  ownedHere: z.boolean().describe('Whether this workspace’s administrators may change and delete the user.'),
  hasPassword: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type User = z.infer<typeof User>

export const ListUsersQuery = PageQuery.extend({
  search: z.string().min(1).max(200).optional().describe('A part of e-mail or display name, in any letter case.'),
  active: z.stringbool().optional(),
})
export const UserList = z.object({ users: z.array(User), nextPageToken })

export const SetPasswordInput = z.strictObject({ password })
export const ChangeOwnPasswordInput = z.strictObject({ oldPassword: z.string().max(1024), newPassword: password })
export const PasswordReset = z.object({
  resetSecret: z.string().describe('Shown this once. Whoever has it sets the password, once.'),
  expiresAt: z.iso.datetime(),
})
export type PasswordReset = z.infer<typeof PasswordReset>
export const RedeemPasswordResetInput = z.strictObject({
  resetSecret: z.string().min(1).max(200),
  newPassword: password,
})
