import { dirname, resolve } from 'node:path'
import type { LoginGrant } from '../login-grant.ts'
import { PosternError } from '../../base/errors.ts'

/**
 * A Postgres role without a login key is let in because of who the gateway is (`peer`), and proves nothing of the server: so
 * it is only dialed where none but Postern's own servers can be, in a folder right below the node's socket root. The place is
 * read from the metadata store, whose writer could otherwise take the key away and lead sessions to a server of his own, or
 * use the gateway's operating system user against a foreign Postgres of the machine.
 *
 * @throws PosternError UPSTREAM_ADDRESS_REFUSED
 */
export function requireOwnServer({ fields }: LoginGrant, socketRoot: string): void {
  if (fields.loginKeySealed !== null) return
  const { host } = fields.route
  if (host === resolve(host) && dirname(host) === socketRoot) return
  throw new PosternError(
    'UPSTREAM_ADDRESS_REFUSED',
    'the Postgres role has no login key, and the instance is not one of this node',
    { hint: 'Ask a Workspace Admin or DBA to run role repair.', detail: { host } },
  )
}
