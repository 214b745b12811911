import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open } from '../crypto/seal.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { EngineSession } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import { findAdminDataSource } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import { dataSourcePasswordContext, routeOf } from './data-source-password.ts'

/** What work on an instance's own database needs. */
export interface UpstreamDependencies {
  readonly store: Store
  readonly masterKey: MasterKey
  readonly dialer: DialerDependencies
}

/** For dialing and login of an administrator's session. */
export const adminLoginTimeoutMs = 10_000

/** An open session of the admin data source, and the route that it was opened by. */
export interface AdminSession {
  readonly session: EngineSession
  readonly route: DataSourceRoute
  readonly systemIdentifier: string
  readonly missingPrivileges: readonly string[]
}

/**
 * Runs `work` in a session of the instance's admin data source. The stored password opens only for the destination that is
 * stored with it.
 *
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | INSTANCE_NOT_AVAILABLE when the instance has no admin data source yet |
 *   ROLE_DRIFTED when another cluster than before answers there
 */
export async function withAdminSession<T>(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  work: (admin: AdminSession) => Promise<T>,
): Promise<T> {
  const { route, password } = await readAdminDataSource(deps, instance)
  const engine = await loadEngine(instance.engine)
  const session = await engine.open(route, { dialer: deps.dialer, password, timeoutMs: adminLoginTimeoutMs })
  try {
    const { systemIdentifier, missingPrivileges } = await session.checkPrivileges()
    if (instance.systemIdentifier !== null && instance.systemIdentifier !== systemIdentifier) {
      throw new PosternError(
        'ROLE_DRIFTED',
        `another database cluster answers for instance '${instance.name}' than before`,
        {
          hint: 'If that is meant, enter the password of its data source again; Postgres roles must then be bound anew.',
          detail: { expected: instance.systemIdentifier, found: systemIdentifier },
        },
      )
    }
    return await work({ session, route, systemIdentifier, missingPrivileges })
  } finally {
    await session.close()
  }
}

async function readAdminDataSource(
  deps: UpstreamDependencies,
  instance: InstanceRow,
): Promise<{ route: DataSourceRoute; password: Secret }> {
  const source = await findAdminDataSource(deps.store.db, instance.id)
  if (source === undefined || source.passwordSealed === null) {
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `instance '${instance.name}' has no admin data source yet`)
  }
  const route = routeOf(source)
  return { route, password: open(deps.masterKey, source.passwordSealed, dataSourcePasswordContext(source.id, route)) }
}
