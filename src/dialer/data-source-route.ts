import type { TlsMode } from '../contract/instances.ts'

/**
 * Where a data source leads and how it is to be reached: everything the dialer needs, and no secret.
 * A `host` that begins with `/` is the folder of a Unix socket (as in libpq); TLS does not apply there.
 */
export interface DataSourceRoute {
  readonly engine: 'postgres'
  /** Host name, IP address, or absolute folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly loginMethod: 'password'
  readonly tlsMode: TlsMode
  /** PEM bundle of the authorities to trust; null means the public ones. */
  readonly tlsCa: string | null
}

/** Whether the route leads to a Unix socket of this machine. */
export function isUnixRoute(route: Pick<DataSourceRoute, 'host'>): boolean {
  return route.host.startsWith('/')
}

/**
 * Whether a socket that `dial` opened for this route may carry a password that its receiver could use again (cleartext,
 * md5): only where TLS proved who receives it (design section 5, invariant 3). `verify-ca` counts only with an authority
 * that the operator named, since a public one vouches for anybody.
 */
export function mayCarryRecoverablePassword(route: DataSourceRoute): boolean {
  if (isUnixRoute(route)) return false
  return route.tlsMode === 'verify-full' || (route.tlsMode === 'verify-ca' && route.tlsCa !== null)
}
