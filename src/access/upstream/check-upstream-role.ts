import type { LoginGrant } from '../login-grant.ts'
import { PosternError } from '../../base/errors.ts'
import { readDataRow } from '../../pgwire/backend-messages.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { writeQuery } from '../../pgwire/frontend-messages.ts'
import type { LoginChannel } from './login-channel.ts'

// Every name is qualified, the operator too: the role or the database may have a search_path of its own.
const question = `SELECT r.oid, s.system_identifier FROM pg_catalog.pg_roles AS r, pg_catalog.pg_control_system() AS s
 WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER`

/**
 * Asks the new upstream session who it is: the Postgres role must have the oid, and the cluster the system identifier, that
 * were bound. A role that was dropped and made again, or renamed into this name, is another role, whatever it is called.
 *
 * @throws PosternError ROLE_DRIFTED | UPSTREAM_FAILED | UPSTREAM_PROTOCOL
 * @see design section 5b
 */
export async function checkUpstreamRole(channel: LoginChannel, grant: LoginGrant): Promise<void> {
  channel.write(writeQuery(question))
  let row: readonly (string | null)[] | undefined
  let failure: PosternError | undefined
  for (;;) {
    const message = await channel.readMessage()
    switch (message.type) {
      case 'D':
        row = readDataRow(message.body)
        break
      case 'E': {
        const sqlstate = readErrorFields(message.body)?.sqlstate ?? 'XX000'
        failure = new PosternError('UPSTREAM_FAILED', `the check of the Postgres role failed with SQLSTATE ${sqlstate}`)
        break
      }
      case 'Z':
        if (failure !== undefined) throw failure
        return compare(row, grant)
      case 'T':
      case 'C':
      case 'N':
      case 'S':
      case 'A':
        break
      default:
        throw new PosternError('UPSTREAM_PROTOCOL', 'the database answered the check of the Postgres role unexpectedly')
    }
  }
}

function compare(row: readonly (string | null)[] | undefined, grant: LoginGrant): void {
  const { roleOid, systemIdentifier, roleName } = grant.fields
  if (row?.[0] === roleOid && row[1] === systemIdentifier) return
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
