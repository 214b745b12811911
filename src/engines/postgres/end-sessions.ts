import type pg from 'pg'
import { withPrivilegesOf } from './drop-role.ts'
import { sqlstateOf, translatePostgresError, withPostgresErrors } from './errors.ts'

const insufficientPrivilege = '42501'

/**
 * Ends these sessions of a role, if they still are of that role: a process id may be another session's by now.
 * @throws PosternError UPSTREAM_*
 */
export async function endSessionsOfRole(
  client: pg.Client,
  roleName: string,
  roleOid: string,
  pids: readonly number[],
): Promise<void> {
  const end = () =>
    client.query(
      `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
       where usesysid = $1 and pid = any ($2::int[])`,
      [roleOid, pids],
    )
  try {
    await end()
  } catch (thrown) {
    if (sqlstateOf(thrown) !== insufficientPrivilege) throw translatePostgresError(thrown)
    await withPrivilegesOf(client, roleName, () => withPostgresErrors(end()).then(() => undefined))
  }
}
