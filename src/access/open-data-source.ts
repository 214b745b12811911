import { PosternError } from '../base/errors.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { EngineSession, OpenOptions } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import { withDataSourceLogin } from './data-source-login.ts'

export interface OpenDataSourceOptions extends Omit<OpenOptions, 'dialer' | 'secrets' | 'manageMode'> {
  /** Another database of the same server than the data source names: the same login reaches it. */
  readonly database?: string
}

/**
 * Opens a session of a stored data source: whoever works on a database that is registered here comes this way. Always close
 * the session.
 *
 * @throws PosternError INSTANCE_NOT_AVAILABLE (stopped, deleted) | INVALID_ARGUMENT | SECRET_UNREADABLE | SECRET_SOURCE_* | UPSTREAM_* | DATABASE_NOT_FOUND
 */
export async function openDataSource(
  deps: { readonly masterKey: MasterKey; readonly dialer: DialerDependencies },
  instance: Pick<InstanceRow, 'name' | 'state' | 'manageMode'>,
  source: DataSourceRow,
  { database, ...options }: OpenDataSourceOptions,
): Promise<EngineSession> {
  if (instance.state !== 'AVAILABLE') {
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${instance.name}' is ${instance.state}, not AVAILABLE`)
  }
  const engine = await loadEngine(source.engine)
  return withDataSourceLogin(deps, source, ({ route, secrets }) => {
    const there = database === undefined ? route : { ...route, database }
    // A name that somebody gives now is checked like one that is stored.
    if (database !== undefined) engine.checkRoute(there)
    return engine.open(there, {
      ...options,
      manageMode: instance.manageMode ?? undefined,
      dialer: deps.dialer,
      secrets,
    })
  })
}
