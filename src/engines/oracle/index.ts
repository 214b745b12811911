import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { Engine, EngineSession, OpenOptions } from '../engine.ts'
import { isListenerProven, openOracleConnection } from './driver.ts'
import { checkOracleRoute } from './options.ts'
import { oracleGrants } from './privileges.ts'
import { openOracleSession } from './session.ts'

/** Oracle 12.1 and newer, by the thin driver. */
export const oracleEngine: Engine = {
  name: 'oracle',
  checkRoute: checkOracleRoute,
  open: openSession,
  grantStatements: oracleGrants,
}

async function openSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  checkOracleRoute(route)
  const connection = await openOracleConnection(route, route.fields, options)
  const { onStage: _stages, signal: _signal, ...later } = options
  return openOracleSession(connection, {
    purpose: options.purpose,
    manageMode: options.manageMode ?? 'database',
    database: route.database,
    isListenerProven: isListenerProven(route),
    connectTo: (serviceName) => openOracleConnection(route, { serviceName }, later),
  })
}
