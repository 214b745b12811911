import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { invalidField } from '../invalid-field.ts'

/**
 * What the capability row cannot say of a route to ClickHouse.
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkClickHouseRoute(route: DataSourceRoute): void {
  // The login goes as HTTP Basic, where a colon ends the name (RFC 7617 section 2).
  if (route.username.includes(':')) throw invalidField('username', 'must not contain a colon')
}

const NATIVE_PORTS: ReadonlySet<number> = new Set([9000, 9440, 9009])
const HTTP_PORT = 8123
const HTTPS_PORT = 8443

/** What the port of a route that failed says about the mistake, by ClickHouse's own numbering; undefined: nothing. */
export function portAdvice({ port, tlsMode }: Pick<DataSourceRoute, 'port' | 'tlsMode'>): string | undefined {
  if (NATIVE_PORTS.has(port)) {
    return `Port ${port} is one of the native protocol. Postern speaks HTTP: use ${HTTPS_PORT} (HTTPS) or ${HTTP_PORT} (HTTP, TLS mode disable).`
  }
  if (port === HTTP_PORT && tlsMode !== 'disable') {
    return `Port ${HTTP_PORT} is the one for plain HTTP: use ${HTTPS_PORT} for HTTPS, or choose TLS mode disable by name.`
  }
  if (port === HTTPS_PORT && tlsMode === 'disable') return `Port ${HTTPS_PORT} is the one for HTTPS: choose a TLS mode.`
  return undefined
}
