import { PosternError } from '../base/errors.ts'
import type { EngineName } from '../contract/engines.ts'
import type { Engine } from './engine.ts'

/** Every engine, loaded when it is first needed: a driver that nobody uses costs nothing at start. */
const ENGINES: Readonly<Partial<Record<EngineName, () => Promise<Engine>>>> = {
  postgres: async () => (await import('./postgres/index.ts')).postgresEngine,
  cockroachdb: async () => (await import('./postgres/index.ts')).cockroachdbEngine,
  mysql: async () => (await import('./mysql/index.ts')).mysqlEngine,
  mariadb: async () => (await import('./mysql/index.ts')).mariadbEngine,
  tidb: async () => (await import('./mysql/index.ts')).tidbEngine,
  redshift: async () => (await import('./postgres/index.ts')).redshiftEngine,
  oracle: async () => (await import('./oracle/index.ts')).oracleEngine,
  snowflake: async () => (await import('./snowflake/index.ts')).snowflakeEngine,
  spanner: async () => (await import('./spanner/index.ts')).spannerEngine,
  clickhouse: async () => (await import('./clickhouse/index.ts')).clickhouseEngine,
}

/** The engine of that name. */
export function loadEngine(name: EngineName): Promise<Engine> {
  const load = ENGINES[name]
  if (load === undefined) throw new PosternError('FEATURE_NOT_SUPPORTED', `there is no engine ${name} yet`)
  return load()
}
