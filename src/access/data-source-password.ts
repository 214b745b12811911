import type { DataSourceId } from '../base/ids.ts'
import type { SealContext } from '../crypto/seal.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../dialer/data-source-route.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'
import type { DataSourceRow } from '../store/data-sources.ts'

/** Where a stored data source leads. */
export function routeOf(source: DataSourceRow): DataSourceRoute {
  const { host, port, database, username, loginMethod, tlsMode, tlsCa } = source
  return { ...PLAIN_ROUTE, engine: 'postgres', host, port, database, username, loginMethod, tlsMode, tlsCa }
}

/** What the password of a data source is sealed for: this data source, at this destination. */
export function dataSourcePasswordContext(id: DataSourceId, route: DataSourceRoute): SealContext {
  return { table: 'data_source', row: id, field: 'password', destination: destinationFingerprint(route) }
}
