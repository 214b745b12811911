import type { BoundPostgresRole } from '../../access/list-postgres-roles.ts'
import type { DatabaseInstanceRole } from '../../contract/database-instances.ts'

const IDENTITY_TYPE = { user: 'USER', service_principal: 'SERVICE_PRINCIPAL', group: 'GROUP' } as const

/** A bound Postgres role in the words of the compatible API. */
export function presentDatabaseInstanceRole(binding: BoundPostgresRole, instance: string): DatabaseInstanceRole {
  const { createDb: createdb, createRole: createrole, bypassRls: bypassrls } = binding.attributes
  const attributes = { bypassrls, createdb, createrole }
  return {
    name: binding.roleName,
    instance_name: instance,
    identity_type: IDENTITY_TYPE[binding.principalKind],
    ...(binding.isAdministrator && { membership_role: 'DATABRICKS_SUPERUSER' as const }),
    attributes,
    effective_attributes: attributes,
  }
}
