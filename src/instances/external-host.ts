import { PosternError } from '../base/errors.ts'

/**
 * Refuses a folder as the host of an external instance. Postern's own Postgres servers listen on Unix sockets alone, and they
 * let the gateway's system user in as any bound Postgres role: whoever could name such a folder would be anybody.
 *
 * @throws PosternError INVALID_ARGUMENT
 */
export function checkExternalHost(host: string, field: string): void {
  if (!host.includes('/') && !host.includes('\\') && !host.startsWith('@')) return
  throw new PosternError(
    'INVALID_ARGUMENT',
    `${field} must be a host name or an IP address; Unix sockets are for managed instances`,
    { detail: { field } },
  )
}
