import { PosternError } from '../base/errors.ts'
import type { UpstreamRole } from '../engines/engine.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { PostgresRoleBindingRow } from '../store/postgres-role-bindings.ts'
import type { AdminSession } from './admin-session.ts'

/**
 * Stops work on a Postgres role that is not the one that was bound: another cluster answers, or the role of that name has
 * another oid. None of that name at all is no mismatch.
 * @throws PosternError ROLE_DRIFTED
 */
export function requireSameRole(
  instance: InstanceRow,
  binding: PostgresRoleBindingRow,
  admin: AdminSession,
  found: UpstreamRole | undefined,
): void {
  if (admin.systemIdentifier !== binding.systemIdentifier) {
    throw new PosternError(
      'ROLE_DRIFTED',
      `'${instance.name}' is another database cluster than the one in which '${binding.roleName}' was bound`,
      {
        hint: 'Unbind the Postgres role and bind it anew.',
        detail: { boundCluster: binding.systemIdentifier, foundCluster: admin.systemIdentifier },
      },
    )
  }
  if (found !== undefined && found.oid !== binding.roleOid) {
    throw new PosternError(
      'ROLE_DRIFTED',
      `the Postgres role '${binding.roleName}' on '${instance.name}' is not the one that was bound: it was dropped and made again, or renamed`,
      {
        hint: 'Find out who did it. Then unbind, drop or rename that Postgres role on the database, and bind anew.',
        detail: { boundOid: binding.roleOid, foundOid: found.oid },
      },
    )
  }
}
