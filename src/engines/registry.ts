import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { Engine } from './engine.ts'

/** Every engine, loaded when it is first needed: a driver that nobody uses costs nothing at start. */
const ENGINES: Readonly<Record<DataSourceRoute['engine'], () => Promise<Engine>>> = {
  postgres: async () => (await import('./postgres/index.ts')).postgresEngine,
}

/** The engine of that name. */
export function loadEngine(name: DataSourceRoute['engine']): Promise<Engine> {
  return ENGINES[name]()
}
