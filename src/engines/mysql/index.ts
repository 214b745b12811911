import type { EngineName } from '../../contract/engines.ts'
import type { Engine } from '../engine.ts'
import { grantStatements } from './grants.ts'
import { checkMysqlRoute } from './options.ts'
import { openMysqlSession } from './session.ts'

function engineOf(name: EngineName): Engine {
  return { name, checkRoute: checkMysqlRoute, open: openMysqlSession, grantStatements }
}

/** MySQL 5.7 and newer, as it is or as a service (RDS, Aurora, Cloud SQL). */
export const mysqlEngine: Engine = engineOf('mysql')
/** MariaDB 10.4 and newer. */
export const mariadbEngine: Engine = engineOf('mariadb')
/** TiDB 5.1 and newer, for whose sake readers look one second into the past. */
export const tidbEngine: Engine = engineOf('tidb')
