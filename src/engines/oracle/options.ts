import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'

/** Names of services and SIDs: nothing that could end its place in a connect descriptor. */
const SERVICE_NAME = /^[A-Za-z0-9_$#.-]{1,256}$/
const SID = /^[A-Za-z0-9_$#.-]{1,64}$/
const HOST = /^[A-Za-z0-9_.:-]{1,255}$/

/**
 * Checks a route to Oracle: what cannot be honoured is refused, never ignored (design section 5, invariant 5).
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkOracleRoute(route: DataSourceRoute): void {
  const { serviceName, sid } = route.fields
  if (!HOST.test(route.host)) throw invalid('host', 'must be a host name or an IP address')
  if (serviceName === undefined && sid === undefined) {
    throw invalid('serviceName', 'or sid is needed: the listener asks which database is meant')
  }
  if (serviceName !== undefined && sid !== undefined) throw invalid('sid', 'and serviceName exclude each other')
  if (serviceName !== undefined && !SERVICE_NAME.test(serviceName)) throw invalid('serviceName', 'is no service name')
  if (sid !== undefined && !SID.test(sid)) throw invalid('sid', 'is no SID')
  if (route.username === '' || route.username.length > 128) throw invalid('username', 'must have 1 to 128 characters')
  const verifies = route.tlsMode === 'verify-ca' || route.tlsMode === 'verify-full'
  if (route.tlsCa !== null && !verifies) throw invalid('tlsCa', `has no effect with TLS mode ${route.tlsMode}`)
  if (route.tlsMode === 'verify-ca' && route.tlsCa === null && route.tlsFiles.ca === undefined) {
    throw invalid('tlsMode', 'verify-ca needs tlsCa')
  }
}

/** Which database of a listener is meant, in the words of a connect descriptor. */
export interface OracleTarget {
  readonly serviceName?: string | undefined
  readonly sid?: string | undefined
}

/**
 * Connect descriptor for the driver. Its address is never dialled: sockets are given to the driver by the dialer.
 * @param target names that passed {@link checkOracleRoute}, or that the database itself told us
 * @throws PosternError UPSTREAM_PROTOCOL for a service name that cannot stand in a descriptor
 */
export function connectDescriptor({ serviceName, sid }: OracleTarget): string {
  const name = serviceName ?? sid ?? ''
  if (!SERVICE_NAME.test(name)) {
    throw new PosternError('UPSTREAM_PROTOCOL', 'the database names a service that cannot be asked for')
  }
  const data = serviceName === undefined ? `(SID=${name})` : `(SERVICE_NAME=${name})`
  return `(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=${PLACEHOLDER_ADDRESS})(PORT=1))(CONNECT_DATA=${data}))`
}

/** An address of documentation (RFC 5737): the driver resolves names itself, and is not to. */
export const PLACEHOLDER_ADDRESS = '192.0.2.1'

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
