import { PosternError } from '../base/errors.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import type { RoleSession } from '../engines/engine.ts'
import { type DataSourceRow, findAdminDataSource } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import { withDataSourceLogin } from './data-source-login.ts'
import { routeOf } from './data-source-secrets.ts'
import { requireRoleLogin } from './require-role-login.ts'

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
  readonly session: RoleSession
  readonly route: DataSourceRoute
  readonly secrets: DataSourceSecrets
  readonly systemIdentifier: string
  readonly missingPrivileges: readonly string[]
}

/**
 * Runs `work` in a session of the instance's admin data source. The stored password opens only for the destination that is
 * stored with it.
 *
 * @param database another one of the server than the data source names: the same login reaches it
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | INSTANCE_NOT_AVAILABLE when the instance has no admin data source yet |
 *   ROLE_DRIFTED when another cluster than before answers there
 */
export async function withAdminSession<T>(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  work: (admin: AdminSession) => Promise<T>,
  database?: string,
): Promise<T> {
  const roleLogin = await requireRoleLogin(instance)
  const source = await readAdminDataSource(deps, instance)
  const opened = await withDataSourceLogin(deps, source, async (login) => ({
    ...login,
    session: await roleLogin.openRoleSession(database === undefined ? login.route : { ...login.route, database }, {
      dialer: deps.dialer,
      secrets: login.secrets,
      timeoutMs: adminLoginTimeoutMs,
    }),
  }))
  const { session, secrets } = opened
  // Not the one with the user that a manager named: what is sealed for the data source names the one that is stored.
  const route = routeOf(source)
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
    return await work({ session, route, secrets, systemIdentifier, missingPrivileges })
  } finally {
    await session.close()
  }
}

async function readAdminDataSource(deps: UpstreamDependencies, instance: InstanceRow): Promise<DataSourceRow> {
  const source = await findAdminDataSource(deps.store.db, instance.id)
  if (source === undefined) {
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `instance '${instance.name}' has no admin data source yet`)
  }
  return source
}
