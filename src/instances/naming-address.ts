import { PosternError } from '../base/errors.ts'
import { isUnixRoute, type DataSourceRoute } from '../dialer/data-source-route.ts'

/**
 * A failure of the way to a database, with the address that was entered: whoever tests a connection may have mistyped it. Users of
 * the gateway read the same failures without, for they are not to learn it.
 */
export function namingAddress(failure: PosternError, route: DataSourceRoute): PosternError {
  const isOnTheWay = failure.code.startsWith('UPSTREAM_') && !failure.code.startsWith('UPSTREAM_SSH_')
  if (!isOnTheWay || route.host === '' || isUnixRoute(route)) return failure
  const host = route.host.includes(':') ? `[${route.host}]` : route.host
  const place = route.loginMethod === 'gcp_iam' ? route.host : `${host}:${route.port}`
  const { hint, detail } = failure
  return new PosternError(failure.code, `${failure.message} (${place})`, { hint, detail, cause: failure })
}
