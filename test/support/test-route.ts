import { PLAIN_ROUTE, type DataSourceRoute } from '../../src/dialer/data-source-route.ts'

/** A route without TLS to a port of 127.0.0.1; the rest as the test says. */
export function testRoute(port: number, change: Partial<DataSourceRoute> = {}): DataSourceRoute {
  return {
    ...PLAIN_ROUTE,
    engine: 'postgres',
    host: '127.0.0.1',
    port,
    database: 'app',
    username: 'postern',
    loginMethod: 'password',
    tlsMode: 'disable',
    tlsCa: null,
    ...change,
  }
}
