import { z } from 'zod'
import { nextPageToken } from './paging.ts'

/** Who is meant: exactly one way of naming a principal. */
export const PrincipalReference = z.union([
  z.strictObject({ id: z.string().regex(/^\d{1,18}$/, 'must be the id of a principal: digits') }),
  z.strictObject({ email: z.string().min(3).max(254) }),
  z.strictObject({ clientId: z.uuid('must be a UUID') }),
  z.strictObject({ group: z.string().min(1).max(255) }),
])
export type PrincipalReference = z.infer<typeof PrincipalReference>

/** Name of a Postgres role: at most 63 bytes of UTF-8, since Postgres would cut a longer one into another role's name. */
const PostgresRoleName = z
  .string()
  .min(1)
  .refine(
    (name) => new TextEncoder().encode(name).length <= 63,
    'must be at most 63 bytes: Postgres cuts longer names, which would name another role',
  )
  .refine((name) => !name.includes('\0'), 'must not contain a zero byte')

const PostgresRoleAttributes = z.strictObject({
  createDb: z.boolean().default(false),
  createRole: z.boolean().default(false),
  bypassRls: z.boolean().default(false),
})

export const BindPostgresRoleInput = z.strictObject({
  principal: PrincipalReference,
  roleName: PostgresRoleName.optional().describe('Default: the e-mail, client id or group name of the principal.'),
  attributes: PostgresRoleAttributes.default({ createDb: false, createRole: false, bypassRls: false }),
  administrator: z.boolean().default(false).describe('Membership in the administrators’ role databricks_superuser.'),
})
export type BindPostgresRoleInput = z.infer<typeof BindPostgresRoleInput>

/** What is absent stays as it is. */
export const UpdatePostgresRoleInput = z.strictObject({
  attributes: z
    .strictObject({
      createDb: z.boolean().optional(),
      createRole: z.boolean().optional(),
      bypassRls: z.boolean().optional(),
    })
    .optional(),
  administrator: z.boolean().optional().describe('Membership in the administrators’ role databricks_superuser.'),
})

export const InstallDatabricksAuthInput = z.strictObject({
  database: z.string().min(1).max(63).optional().describe('Default: the database of the admin data source.'),
})
export const InstallDatabricksAuthAnswer = z.object({ database: z.string() })

export const PostgresRole = z.object({
  roleName: z.string(),
  instance: z.string(),
  principal: z.object({ id: z.string(), kind: z.enum(['user', 'service_principal', 'group']), name: z.string() }),
  attributes: z.object({ createDb: z.boolean(), createRole: z.boolean(), bypassRls: z.boolean() }),
  administrator: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type PostgresRole = z.infer<typeof PostgresRole>
export const PostgresRoleList = z.object({ roles: z.array(PostgresRole), nextPageToken })

/** What `repair` found and did. */
export const PostgresRoleRepair = z.object({
  role: PostgresRole,
  findings: z.array(z.enum(['role_missing', 'login_key_changed', 'attributes_changed', 'membership_missing'])),
  repaired: z.boolean(),
})

export const UnbindPostgresRoleQuery = z.object({
  reassignOwnedTo: PostgresRoleName.optional().describe(
    'Postgres role, not a superuser, that gets what the unbound one owns; without it a role that owns something is refused.',
  ),
  keepUpstreamRole: z
    .stringbool()
    .default(false)
    .describe(
      'Remove the binding alone, for an instance that does not answer any more. A managed one that answers refuses it.',
    ),
})
export const UnbindPostgresRoleAnswer = z.object({
  upstreamRole: z.enum(['dropped', 'absent', 'left']).describe('What became of the Postgres role on the instance.'),
})
