import mysql from 'mysql2'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { SessionPurpose } from '../engine.ts'
import type { Flavor } from './flavor.ts'

/** Statements that make a new session what its route and purpose ask for. */
export function sessionSettings(route: DataSourceRoute, purpose: SessionPurpose): readonly string[] {
  const { timezone, sql_mode: sqlMode } = route.extraParameters
  return [
    'set session autocommit = 1',
    ...(sqlMode === undefined ? [] : [`set session sql_mode = ${mysql.escape(sqlMode)}`]),
    ...(timezone === undefined
      ? []
      : [`set session time_zone = ${mysql.escape(timezone === 'Z' ? '+00:00' : timezone)}`]),
    ...(purpose === 'read_only' ? ['set session transaction read only'] : []),
  ]
}

/** Tells the server when to give a statement up. MySQL and TiDB do so for SELECT alone; the rest is ended by KILL QUERY. */
export function statementLimit(flavor: Flavor, timeoutMs: number): string {
  return flavor === 'mariadb'
    ? `set session max_statement_time = ${Math.max(0.001, timeoutMs / 1000)}`
    : `set session max_execution_time = ${Math.max(1, Math.ceil(timeoutMs))}`
}

/**
 * TiDB takes READ ONLY alone for decoration; a transaction in the past it holds to reading.
 * @see https://docs.pingcap.com/tidb/stable/as-of-timestamp
 */
export function startReadOnly(flavor: Flavor): string {
  return flavor === 'tidb'
    ? 'start transaction read only as of timestamp now(3) - interval 1 second'
    : 'start transaction read only'
}
