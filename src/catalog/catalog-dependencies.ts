import type { OpenDataSourceOptions } from '../access/open-data-source.ts'
import type { EngineSession } from '../engines/engine.ts'
import type { DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'

/** Opens a session of a stored data source; `openDataSource` of the access folder, with its dependencies filled in. */
export type OpenSession = (
  instance: InstanceRow,
  source: DataSourceRow,
  options: OpenDataSourceOptions,
) => Promise<EngineSession>

/** What reading databases into the catalogue needs. */
export interface SyncDependencies {
  readonly store: Store
  readonly openSession: OpenSession
}
