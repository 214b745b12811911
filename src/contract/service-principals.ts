import { z } from 'zod'
import { nextPageToken } from './paging.ts'

export const WorkspaceRole = z.enum(['admin', 'dba', 'member'])
export type WorkspaceRole = z.infer<typeof WorkspaceRole>

export const CreateServicePrincipalInput = z.strictObject({
  displayName: z.string().min(1, 'must not be empty').max(255),
  workspaceRole: WorkspaceRole.default('member'),
})
export const UpdateServicePrincipalInput = z.strictObject({
  displayName: z.string().min(1, 'must not be empty').max(255).optional(),
  active: z
    .boolean()
    .optional()
    .describe('False takes its access at once: no new access token, none honoured, no login.'),
})
export const ServicePrincipal = z.object({
  id: z.string(),
  clientId: z.uuid(),
  displayName: z.string(),
  workspaceRole: WorkspaceRole,
  active: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type ServicePrincipal = z.infer<typeof ServicePrincipal>
export const ServicePrincipalList = z.object({ servicePrincipals: z.array(ServicePrincipal), nextPageToken })

export const CreateSecretInput = z.strictObject({
  lifetimeSeconds: z
    .number()
    .int()
    .min(60)
    .max(730 * 86_400)
    .optional()
    .describe('Absent: the secret never expires.'),
})
export const ServicePrincipalSecret = z.object({
  id: z.uuid(),
  hint: z.string().describe('First characters, to recognise it by.'),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable(),
})
export type ServicePrincipalSecret = z.infer<typeof ServicePrincipalSecret>
export const CreatedSecret = ServicePrincipalSecret.extend({ secret: z.string().describe('Shown this once.') })
export const ServicePrincipalSecretList = z.object({ secrets: z.array(ServicePrincipalSecret), nextPageToken })

/** Who the caller is. */
export const Me = z.object({
  id: z.string(),
  kind: z.enum(['user', 'service_principal', 'group']),
  name: z.string(),
  workspaceId: z.string(),
  workspaceRole: WorkspaceRole,
})
