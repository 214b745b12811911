import type { Engine } from '../engine.ts'
import { checkClickHouseRoute } from './options.ts'
import { grantStatements } from './privileges.ts'
import { openClickHouseSession } from './session.ts'

/** ClickHouse by HTTP and HTTPS, from 18.16 on. */
export const clickhouseEngine: Engine = {
  name: 'clickhouse',
  checkRoute: checkClickHouseRoute,
  open: openClickHouseSession,
  grantStatements,
}
