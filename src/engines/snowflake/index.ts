import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { Engine, EngineSession, OpenOptions } from '../engine.ts'
import { openSnowflakeDriver } from './driver.ts'
import { checkSnowflakePrivileges, describeSnowflake, listSnowflakeDatabases, snowflakeGrants } from './introspect.ts'
import { checkSnowflakeRoute } from './options.ts'

/** Snowflake by its SQL API. */
export const snowflakeEngine: Engine = {
  name: 'snowflake',
  checkRoute: checkSnowflakeRoute,
  open: openSession,
  grantStatements: snowflakeGrants,
}

async function openSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  checkSnowflakeRoute(route)
  const driver = await openSnowflakeDriver(route, options)
  const { version } = await driver.whoami(AbortSignal.timeout(options.timeoutMs))
  const { purpose } = options
  return {
    serverVersion: version,
    ping: () => driver.ping(),
    checkPrivileges: () => checkSnowflakePrivileges(driver, purpose, { warehouse: route.fields.warehouse }),
    listDatabases: () => listSnowflakeDatabases(driver),
    describe: (database, { signal }) => describeSnowflake(driver, database, signal),
    query: (statement, queryOptions) => driver.query(statement, queryOptions, purpose === 'read_only'),
    close: () => driver.close(),
  }
}
