import { z } from 'zod'
import { nextPageToken } from './paging.ts'
import { PrincipalReference } from './postgres-roles.ts'

const PermissionLevel = z.enum(['CAN_USE', 'CAN_MANAGE'])

const GrantedPrincipal = z.object({
  id: z.string(),
  kind: z.enum(['user', 'service_principal', 'group']),
  name: z.string().describe('E-mail, client id or group name.'),
})

/** A permission on one instance. Workspace Admins, Workspace DBAs and the instance's creator have CAN_MANAGE without one. */
export const InstancePermission = z.object({ principal: GrantedPrincipal, level: PermissionLevel })
export type InstancePermission = z.infer<typeof InstancePermission>
export const InstancePermissionList = z.object({ permissions: z.array(InstancePermission), nextPageToken })

export const GrantPermissionInput = z.strictObject({
  principal: PrincipalReference,
  level: PermissionLevel.describe(
    'CAN_USE: have a credential, add a Postgres role for oneself. CAN_MANAGE: also Postgres roles of others and permissions, and of a managed instance its settings and its end.',
  ),
})

/** Somebody who may create managed instances without being Workspace Admin or DBA. */
export const InstanceMaker = z.object({ principal: GrantedPrincipal })
export type InstanceMaker = z.infer<typeof InstanceMaker>
export const InstanceMakerList = z.object({ instanceMakers: z.array(InstanceMaker), nextPageToken })
export const AddInstanceMakerInput = z.strictObject({ principal: PrincipalReference })
