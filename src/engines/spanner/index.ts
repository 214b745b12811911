import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import type { Engine, EngineSession, OpenOptions } from '../engine.ts'
import { GOOGLE_TOKEN_ENDPOINTS, type TokenEndpoint } from '../../secrets/google/access-token.ts'
import { openSpannerDriver, type SpannerDriver } from './driver.ts'
import { checkSpannerPrivileges, describeSpanner, namingMissingRole, spannerGrants } from './introspect.ts'
import { checkSpannerRoute, isEmulatorRoute, spannerInstance } from './options.ts'
import { readServiceAccountKey } from '../../secrets/google/service-account.ts'

/** Google Cloud Spanner by its REST API. */
export const spannerEngine: Engine = createSpannerEngine(GOOGLE_TOKEN_ENDPOINTS)

/** The engine with the places where the keys of service accounts may be shown. */
export function createSpannerEngine(endpoints: readonly TokenEndpoint[]): Engine {
  return {
    name: 'spanner',
    checkRoute: checkSpannerRoute,
    open: (route, options) => openSession(route, options, endpoints),
    grantStatements: (purpose, names) =>
      spannerGrants(purpose, names, { projectId: 'PROJECT_ID', instanceId: 'INSTANCE_ID' }),
  }
}

async function openSession(
  route: DataSourceRoute,
  options: OpenOptions,
  endpoints: readonly TokenEndpoint[],
): Promise<EngineSession> {
  checkSpannerRoute(route)
  const identity = identityOf(route, options.secrets)
  const named = (thrown: unknown) => namingMissingRole(thrown, spannerInstance(route), options.purpose, identity)
  const driver = await openSpannerDriver(route, options, endpoints).catch((thrown: unknown) => {
    throw named(thrown)
  })
  return {
    // The service has no version that it would tell.
    serverVersion: 'Cloud Spanner',
    ping: () => driver.ping(AbortSignal.timeout(options.timeoutMs), route.database),
    checkPrivileges: () => checkSpannerPrivileges(driver, options.purpose, identity),
    listDatabases: () => listDatabases(driver).catch((thrown: unknown) => Promise.reject(named(thrown))),
    describe: (database, { signal }) => translated(describeSpanner(driver, database, signal), named),
    query: (statement, queryOptions) => translated(driver.query(route.database, statement, queryOptions), named),
    close: () => driver.close(),
  }
}

async function listDatabases(driver: SpannerDriver): ReturnType<EngineSession['listDatabases']> {
  const databases = await driver.listDatabases()
  return databases
    .filter(({ isReady }) => isReady)
    .map(({ name }) => ({ name, characterSet: 'UTF8', collation: null, sizeBytes: null }))
}

async function* translated<T>(items: AsyncIterable<T>, translate: (thrown: unknown) => Error): AsyncGenerator<T> {
  try {
    yield* items
  } catch (thrown) {
    throw translate(thrown)
  }
}

/** Who the permissions are granted to, for the commands that we show. */
function identityOf(route: DataSourceRoute, secrets: DataSourceSecrets): string {
  if (secrets.serviceAccount === undefined || isEmulatorRoute(route)) return 'SERVICE_ACCOUNT_EMAIL'
  return readServiceAccountKey(secrets.serviceAccount).clientEmail
}
