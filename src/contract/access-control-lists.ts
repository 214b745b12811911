import { z } from 'zod'

/** One entry of an access control list as callers of the compatible API send it: one principal and one level. */
const AccessControlRequest = z.object({
  user_name: z.string().min(1).max(254).optional(),
  group_name: z.string().min(1).max(255).optional(),
  service_principal_name: z.string().min(1).max(64).optional().describe('Client id (application id).'),
  permission_level: z.enum(['CAN_USE', 'CAN_MANAGE', 'CAN_CREATE']),
})
export type AccessControlRequest = z.infer<typeof AccessControlRequest>

/** Body of `PUT` (replace) and `PATCH` (add) of permissions. */
export const PermissionsRequest = z.object({ access_control_list: z.array(AccessControlRequest).max(200).nullish() })

const Permission = z.object({
  permission_level: z.enum(['CAN_USE', 'CAN_MANAGE', 'CAN_CREATE']),
  inherited: z.boolean(),
  inherited_from_object: z.array(z.string()).optional(),
})

const AccessControl = z.object({
  user_name: z.string().optional(),
  group_name: z.string().optional(),
  service_principal_name: z.string().optional(),
  display_name: z.string().optional(),
  all_permissions: z.array(Permission),
})
export type AccessControl = z.infer<typeof AccessControl>

export const ObjectPermissions = z.object({
  object_id: z.string(),
  object_type: z.string(),
  access_control_list: z.array(AccessControl),
})

export const PermissionLevels = z.object({
  permission_levels: z.array(z.object({ permission_level: z.string(), description: z.string() })),
})
