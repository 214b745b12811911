import type { LoginGrant } from '../login-grant.ts'
import { PosternError } from '../../base/errors.ts'
import { askUpstream } from './ask-upstream.ts'
import type { LoginChannel } from './login-channel.ts'

// Every name is qualified, the operator too: the role or the database may have a search_path of its own.
const from = `FROM pg_catalog.pg_roles AS r, pg_catalog.pg_control_system() AS s
 WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER`
const question = `SELECT r.oid, s.system_identifier ${from}`
const questionOfStandby = `SELECT r.oid, s.system_identifier, pg_catalog.pg_is_in_recovery() ${from}`

/**
 * Asks the new upstream session who it is: the Postgres role must have the oid, and the cluster the system identifier, that
 * were bound. A role that was dropped and made again, or renamed into this name, is another role, whatever it is called. A
 * session for reading must be on a physical standby: nothing else keeps a role from writing that may write.
 *
 * @throws PosternError ROLE_DRIFTED | READ_ONLY_UNAVAILABLE | UPSTREAM_FAILED | UPSTREAM_PROTOCOL
 * @see design section 5b
 */
export async function checkUpstreamRole(channel: LoginChannel, grant: LoginGrant): Promise<void> {
  const { roleOid, systemIdentifier, roleName, readOnly, instanceName } = grant.fields
  const row = await askUpstream(channel, readOnly ? questionOfStandby : question)
  if (row?.[0] !== roleOid || row[1] !== systemIdentifier) {
    throw new PosternError(
      'ROLE_DRIFTED',
      `authentication failed: Postgres role "${roleName}" on the instance is not the one that was bound`,
      {
        hint: 'Ask a Workspace Admin or DBA to look at the Postgres role and to run role repair.',
        detail: {
          boundOid: roleOid,
          foundOid: row?.[0] ?? null,
          boundCluster: systemIdentifier,
          foundCluster: row?.[1] ?? null,
        },
      },
    )
  }
  if (!readOnly || row[2] === 't') return
  throw new PosternError(
    'READ_ONLY_UNAVAILABLE',
    `authentication failed: this credential is for reading, and no read-only data source of instance "${instanceName}" is a physical standby`,
    { hint: 'Have a streaming standby of it added as a read-only data source, or get a credential without READ_ONLY.' },
  )
}
