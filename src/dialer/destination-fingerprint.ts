import { createHash } from 'node:crypto'
import type { DataSourceRoute } from './data-source-route.ts'

/**
 * Names the destination of a data source's secrets. It is part of the associated data of every sealed secret, so a data
 * source that was pointed elsewhere, or whose TLS was weakened, cannot open them (design section 5, invariant 2).
 * The database is no part of it: any database of a server is reached by the same login.
 *
 * Canonical and injective: one JSON array of strings in a fixed order. A host name is compared without case and without the
 * final dot that DNS ignores; a folder is compared as it is.
 *
 * @returns `v1:` and a SHA-256 in hex
 */
export function destinationFingerprint(route: DataSourceRoute): string {
  const host = route.host.startsWith('/') ? route.host : route.host.toLowerCase().replace(/\.$/, '')
  const parts = [
    route.engine,
    host,
    String(route.port),
    route.username,
    route.loginMethod,
    route.tlsMode,
    route.tlsCa === null ? 'public' : `pem ${route.tlsCa}`,
  ]
  return `v1:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`
}
