import type { BoundPostgresRole } from '../../access/list-postgres-roles.ts'
import type { PostgresRole } from '../../contract/postgres-roles.ts'

export function presentPostgresRole(binding: BoundPostgresRole, instance: string): PostgresRole {
  const { roleName, principalId, principalKind, principalName, attributes, isAdministrator, createdAt } = binding
  return {
    roleName,
    instance,
    principal: { id: principalId, kind: principalKind, name: principalName },
    attributes,
    administrator: isAdministrator,
    createdAt: createdAt.toISOString(),
  }
}
