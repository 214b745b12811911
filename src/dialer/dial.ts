import type { ByteSocket } from '../transport/byte-socket.ts'
import { isUnixRoute, type DataSourceRoute } from './data-source-route.ts'
import { dialCloudSql } from './dial-cloud-sql.ts'
import { withTimeLeft, type DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { requestTls } from './request-tls.ts'
import { secureSocket } from './secure-socket.ts'

export type { DialerDependencies, DialOptions, DialStage } from './dial-options.ts'

/**
 * Opens the way to a database of the Postgres family: name → address rules → socket, or SSH → SSLRequest → TLS, as the route asks.
 * The socket that comes back is at the point where the startup message goes next, and no secret of the database was sent on
 * it. There is no other way to a database (design section 5, invariant 1).
 *
 * @throws PosternError as {@link dialPlain}; UPSTREAM_TLS_* | UPSTREAM_PROTOCOL; INVALID_ARGUMENT for TLS material that does not parse
 */
export async function dial(route: DataSourceRoute, options: DialOptions): Promise<ByteSocket> {
  if (route.loginMethod === 'gcp_iam') return dialCloudSql(route, options)
  const deadlineAt = performance.now() + options.timeoutMs
  const socket = await dialPlain(route, options)
  if (isUnixRoute(route) || route.tlsMode === 'disable') return socket
  return secureSocket(socket, route, withTimeLeft(options, deadlineAt), requestTls)
}
