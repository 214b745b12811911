import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'

/** A DNS name or an IP address. */
const HOST =
  /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?|[0-9a-f:.]*:[0-9a-f:.]*)$/i
/** Longest user of MariaDB, and longest name of a database. MySQL itself takes 32 characters for a user. */
const MAX_CHARACTERS = { username: 128, database: 64 } as const

/**
 * Checks a route to a server of the MySQL family: what cannot be honoured is refused, never ignored.
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkMysqlRoute(route: DataSourceRoute): void {
  if (!HOST.test(route.host)) throw invalid('host', 'must be a host name or an IP address')
  for (const field of ['database', 'username'] as const) {
    if (route[field].length > MAX_CHARACTERS[field]) {
      throw invalid(field, `must be at most ${MAX_CHARACTERS[field]} characters`)
    }
    if (route[field].includes('\0')) throw invalid(field, 'must not contain a zero byte')
  }
  const verifies = route.tlsMode === 'verify-ca' || route.tlsMode === 'verify-full'
  const namesAuthority = route.tlsCa !== null || route.tlsFiles.ca !== undefined
  if (namesAuthority && !verifies) {
    throw invalid(
      'tlsCa',
      `has no effect with TLS mode ${route.tlsMode}: leave it out, or choose verify-ca or verify-full`,
    )
  }
  // A public authority vouches for everyone, so without the name check it would verify nobody.
  if (route.tlsMode === 'verify-ca' && !namesAuthority) {
    throw invalid(
      'tlsMode',
      'verify-ca needs tlsCa; with the public authorities only verify-full says whom one talks to',
    )
  }
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
