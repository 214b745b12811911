import { createHash } from 'node:crypto'
import type { BoundPostgresRole } from '../../access/list-postgres-roles.ts'
import type {
  PostgresBranch,
  PostgresEndpoint,
  PostgresProject,
  PostgresProjectDatabase,
  PostgresProjectRole,
} from '../../contract/postgres-projects.ts'
import type { DatabaseInstanceView } from '../../instances/read-database-instances.ts'
import { presentDatabaseInstance } from './database-instance.ts'
import { presentDatabaseInstanceRole } from './database-instance-role.ts'

/** The only branch and the only endpoint of every project. */
export const BRANCH_ID = 'production'
export const ENDPOINT_ID = 'primary'

export function presentProject(instance: DatabaseInstanceView): PostgresProject {
  const shown = presentDatabaseInstance(instance)
  const version = /^\d+/.exec(instance.serverVersion ?? '')?.[0]
  return {
    ...resource(instance, projectName(instance)),
    status: {
      project_id: instance.name,
      display_name: instance.title || instance.name,
      ...(shown.creator !== undefined && { owner: shown.creator }),
      ...(version !== undefined && { pg_version: Number(version) }),
      enable_pg_native_login: instance.nativeLoginEnabled,
      default_branch: branchName(instance),
    },
  }
}

export function presentBranch(instance: DatabaseInstanceView): PostgresBranch {
  return {
    ...resource(instance, branchName(instance)),
    parent: projectName(instance),
    status: {
      branch_id: BRANCH_ID,
      current_state: instance.state === 'STARTING' ? 'INIT' : 'READY',
      default: true,
      is_protected: false,
    },
  }
}

export function presentEndpoint(instance: DatabaseInstanceView): PostgresEndpoint {
  const { state, read_write_dns: host } = presentDatabaseInstance(instance)
  const current = { AVAILABLE: 'ACTIVE', STARTING: 'INIT', STOPPED: 'IDLE', UPDATING: 'DEGRADED', DELETING: 'DEGRADED' }
  return {
    ...resource(instance, `${branchName(instance)}/endpoints/${ENDPOINT_ID}`),
    parent: branchName(instance),
    status: {
      endpoint_id: ENDPOINT_ID,
      endpoint_type: 'ENDPOINT_TYPE_READ_WRITE',
      current_state: current[state] as PostgresEndpoint['status']['current_state'],
      disabled: state === 'STOPPED',
      hosts: { host },
    },
  }
}

export function presentProjectRole(binding: BoundPostgresRole, instance: DatabaseInstanceView): PostgresProjectRole {
  const { identity_type, attributes, membership_role } = presentDatabaseInstanceRole(binding, instance.name)
  const time = seconds(binding.createdAt)
  return {
    name: `${branchName(instance)}/roles/${roleIdOf(binding)}`,
    parent: branchName(instance),
    create_time: time,
    update_time: time,
    status: {
      role_id: roleIdOf(binding),
      postgres_role: binding.roleName,
      identity_type,
      auth_method: 'LAKEBASE_OAUTH_V1',
      membership_roles: membership_role === undefined ? [] : [membership_role],
      attributes,
    },
  }
}

/** Names of Postgres roles hold what a resource name cannot; the id of the binding does not change either. */
export function roleIdOf({ id }: Pick<BoundPostgresRole, 'id'>): string {
  return `role-${id}`
}

export function presentProjectDatabase(database: string, instance: DatabaseInstanceView): PostgresProjectDatabase {
  return {
    name: `${branchName(instance)}/databases/${databaseIdOf(database)}`,
    parent: branchName(instance),
    status: { database_id: databaseIdOf(database), postgres_database: database },
  }
}

/** `databricks-postgres` for databricks_postgres; where that would say less than the name, it ends in a part of its hash. */
function databaseIdOf(database: string): string {
  const plain = database.replaceAll('_', '-')
  if (!database.includes('-') && /^[a-z][a-z0-9-]{0,50}$/.test(plain)) return plain
  return `db-${createHash('sha256').update(database).digest('hex').slice(0, 16)}`
}

function resource(instance: DatabaseInstanceView, name: string) {
  return {
    name,
    uid: instance.id,
    create_time: seconds(instance.createdAt),
    update_time: seconds(instance.updatedAt),
  }
}

function projectName({ name }: DatabaseInstanceView): string {
  return `projects/${name}`
}

function branchName(instance: DatabaseInstanceView): string {
  return `${projectName(instance)}/branches/${BRANCH_ID}`
}

function seconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}
