import { z } from 'zod'

/** How big a database instance is asked to be. Kept and answered; what a managed instance gets is what its machine has. */
const Capacity = z.enum(['CU_1', 'CU_2', 'CU_4', 'CU_8'])

const CustomTag = z.object({ key: z.string().min(1).max(256), value: z.string().max(256) })
const CustomTags = z.array(CustomTag).max(20)

const DatabaseInstanceRef = z.object({ name: z.string().optional(), uid: z.string().optional() })

/**
 * A database instance as callers of the compatible API send it. Fields that only answers have are taken and ignored, since
 * clients send back what they read; so are fields that are not known.
 */
export const DatabaseInstanceInput = z.object({
  name: z.string().max(255).optional(),
  capacity: Capacity.nullish(),
  custom_tags: CustomTags.nullish(),
  usage_policy_id: z.string().max(255).nullish(),
  enable_pg_native_login: z.boolean().nullish(),
  stopped: z.boolean().nullish(),
  enable_readable_secondaries: z.boolean().nullish(),
  node_count: z.number().int().nullish(),
  retention_window_in_days: z.number().int().nullish(),
  parent_instance_ref: DatabaseInstanceRef.nullish(),
})
export type DatabaseInstanceInput = z.infer<typeof DatabaseInstanceInput>

/** States that clients of the compatible API know. */
export const DatabaseInstanceState = z.enum(['AVAILABLE', 'DELETING', 'STARTING', 'STOPPED', 'UPDATING'])
export type DatabaseInstanceState = z.infer<typeof DatabaseInstanceState>

/** A database instance as the compatible API answers it: what starts with `effective_` is how it is, not what was asked for. */
export const DatabaseInstance = z.object({
  name: z.string(),
  uid: z.string(),
  state: DatabaseInstanceState,
  creator: z.string().optional(),
  creation_time: z.string(),
  pg_version: z.string().optional().describe('PG_VERSION_18; absent until it was seen.'),
  read_write_dns: z.string().describe('Host name of the gateway for this instance, without a port.'),
  capacity: Capacity.optional(),
  effective_capacity: Capacity.optional(),
  node_count: z.number().int(),
  effective_node_count: z.number().int(),
  enable_pg_native_login: z.boolean(),
  effective_enable_pg_native_login: z.boolean(),
  effective_enable_readable_secondaries: z.boolean(),
  stopped: z.boolean(),
  effective_stopped: z.boolean(),
  usage_policy_id: z.string().optional(),
  effective_usage_policy_id: z.string().optional(),
  custom_tags: CustomTags.optional().describe('Only in answers to a creation or a change.'),
  effective_custom_tags: CustomTags.optional(),
})
export type DatabaseInstance = z.infer<typeof DatabaseInstance>

/** Query of every list of the compatible API. Sizes over 100 are cut to 100. */
export const CompatiblePageQuery = z.object({
  page_size: z.coerce.number().int().min(0).max(2_147_483_647).default(0).describe('At most this many; 0: 100.'),
  page_token: z.string().max(512).optional(),
})

const next_page_token = z.string().optional()

export const DatabaseInstanceList = z.object({ database_instances: z.array(DatabaseInstance), next_page_token })

export const UpdateDatabaseInstanceQuery = z.object({
  update_mask: z.string().max(2000).default('').describe('Fields to change, separated by commas, or * for all.'),
})

export const DeleteDatabaseInstanceQuery = z.object({
  purge: z
    .stringbool()
    .optional()
    .describe('false is refused. An external instance is forgotten only where true is asked for.'),
  force: z.stringbool().optional().describe('Means nothing: no instance has children.'),
})

const RoleAttributes = z.object({
  bypassrls: z.boolean().nullish(),
  createdb: z.boolean().nullish(),
  createrole: z.boolean().nullish(),
})

/** A Postgres role as callers of the compatible API send it. */
export const DatabaseInstanceRoleInput = z.object({
  name: z.string().min(1).max(255).optional(),
  instance_name: z.string().nullish(),
  identity_type: z.enum(['USER', 'SERVICE_PRINCIPAL', 'GROUP', 'PG_ONLY']).nullish(),
  membership_role: z.enum(['DATABRICKS_SUPERUSER']).nullish(),
  attributes: RoleAttributes.nullish(),
})
export type DatabaseInstanceRoleInput = z.infer<typeof DatabaseInstanceRoleInput>

const FlatRoleAttributes = z.object({ bypassrls: z.boolean(), createdb: z.boolean(), createrole: z.boolean() })

export const DatabaseInstanceRole = z.object({
  name: z.string(),
  instance_name: z.string(),
  identity_type: z.enum(['USER', 'SERVICE_PRINCIPAL', 'GROUP']),
  membership_role: z.enum(['DATABRICKS_SUPERUSER']).optional(),
  attributes: FlatRoleAttributes,
  effective_attributes: FlatRoleAttributes,
})
export type DatabaseInstanceRole = z.infer<typeof DatabaseInstanceRole>

export const DatabaseInstanceRoleList = z.object({
  database_instance_roles: z.array(DatabaseInstanceRole),
  next_page_token,
})

export const DeleteDatabaseInstanceRoleQuery = z.object({
  allow_missing: z.stringbool().default(false),
  reassign_owned_to: z.string().max(63).optional(),
})
