import { z } from 'zod'

/** Resources of the `postgres` part of the compatible API. Each instance is one project with one branch and one endpoint. */
const resource = { name: z.string(), uid: z.string(), create_time: z.string(), update_time: z.string() }
const next_page_token = z.string().optional()

export const PostgresProject = z.object({
  ...resource,
  status: z.object({
    project_id: z.string(),
    display_name: z.string(),
    owner: z.string().optional(),
    pg_version: z.number().int().optional(),
    enable_pg_native_login: z.boolean(),
    default_branch: z.string(),
  }),
})
export type PostgresProject = z.infer<typeof PostgresProject>
export const PostgresProjectList = z.object({ projects: z.array(PostgresProject), next_page_token })

export const PostgresBranch = z.object({
  ...resource,
  parent: z.string(),
  status: z.object({
    branch_id: z.string(),
    current_state: z.enum(['READY', 'INIT']),
    default: z.boolean(),
    is_protected: z.boolean(),
  }),
})
export type PostgresBranch = z.infer<typeof PostgresBranch>
export const PostgresBranchList = z.object({ branches: z.array(PostgresBranch), next_page_token })

export const PostgresEndpoint = z.object({
  ...resource,
  parent: z.string(),
  status: z.object({
    endpoint_id: z.string(),
    endpoint_type: z.literal('ENDPOINT_TYPE_READ_WRITE'),
    current_state: z.enum(['ACTIVE', 'IDLE', 'INIT', 'DEGRADED']),
    disabled: z.boolean(),
    hosts: z.object({ host: z.string() }),
  }),
})
export type PostgresEndpoint = z.infer<typeof PostgresEndpoint>
export const PostgresEndpointList = z.object({ endpoints: z.array(PostgresEndpoint), next_page_token })

export const PostgresProjectRole = z.object({
  name: z.string(),
  parent: z.string(),
  create_time: z.string(),
  update_time: z.string(),
  status: z.object({
    role_id: z.string(),
    postgres_role: z.string(),
    identity_type: z.enum(['USER', 'SERVICE_PRINCIPAL', 'GROUP']),
    auth_method: z.literal('LAKEBASE_OAUTH_V1'),
    membership_roles: z.array(z.literal('DATABRICKS_SUPERUSER')),
    attributes: z.object({ bypassrls: z.boolean(), createdb: z.boolean(), createrole: z.boolean() }),
  }),
})
export type PostgresProjectRole = z.infer<typeof PostgresProjectRole>
export const PostgresProjectRoleList = z.object({ roles: z.array(PostgresProjectRole), next_page_token })

export const PostgresProjectDatabase = z.object({
  name: z.string(),
  parent: z.string(),
  status: z.object({ database_id: z.string(), postgres_database: z.string() }),
})
export type PostgresProjectDatabase = z.infer<typeof PostgresProjectDatabase>
export const PostgresProjectDatabaseList = z.object({ databases: z.array(PostgresProjectDatabase), next_page_token })
