import { PosternError } from '../../base/errors.ts'
import {
  parseSpannerAddress,
  SPANNER_DATABASE_ID,
  SPANNER_INSTANCE_ID,
  SPANNER_PROJECT_ID,
} from '../../contract/spanner-address.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'

const GOOGLE_HOST = 'spanner.googleapis.com'
const HTTPS_PORT = 443
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i
/** Google's own names, regional and private ones among them; nobody else gets one. */
const GOOGLE_NAME = /(?:^|\.)googleapis\.com\.?$/i

/** What the ids of a route name. */
export interface SpannerInstance {
  readonly projectId: string
  readonly instanceId: string
  /** `projects/P/instances/I`. */
  readonly name: string
}

export function spannerInstance(route: DataSourceRoute): SpannerInstance {
  const { projectId = '', instanceId = '' } = route.fields
  return { projectId, instanceId, name: `projects/${projectId}/instances/${instanceId}` }
}

/** Where the REST API is reached: Google's address, or the one that the data source names instead. */
export function spannerRestRoute(route: DataSourceRoute): DataSourceRoute {
  if (route.host === '') return { ...route, host: GOOGLE_HOST, port: HTTPS_PORT }
  return { ...route, port: route.port === 0 ? HTTPS_PORT : route.port }
}

/** The emulator knows no identities, and nothing secret is sent without TLS. */
export function isEmulatorRoute(route: DataSourceRoute): boolean {
  return route.tlsMode === 'disable'
}

/**
 * Checks a route to Spanner: what cannot be honoured is refused, never ignored (design section 5, invariant 5).
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkSpannerRoute(route: DataSourceRoute): void {
  const { projectId = '', instanceId = '' } = route.fields
  refuseAddress('projectId', projectId)
  refuseAddress('instanceId', instanceId)
  if (!SPANNER_PROJECT_ID.test(projectId)) throw invalid('projectId', 'must be the id of a Google Cloud project')
  if (!SPANNER_INSTANCE_ID.test(instanceId)) throw invalid('instanceId', 'must be the id of a Spanner instance')
  if (route.database !== '' && !SPANNER_DATABASE_ID.test(route.database))
    throw invalid('database', 'must be the id of a Spanner database')
  if (route.ssh.length > 0) throw invalid('ssh', 'does not exist for Spanner')
  checkTls(route)
  if (route.loginMethod === 'ambient' && !isEmulatorRoute(route)) checkAmbientHost(route)
}

function checkTls(route: DataSourceRoute): void {
  if (route.tlsMode === 'disable' && !LOOPBACK.test(route.host)) {
    throw invalid('tlsMode', 'disable is for an emulator on a loopback address only')
  }
  if (route.tlsMode === 'require' || route.tlsMode === 'verify-ca') {
    throw invalid('tlsMode', `${route.tlsMode} does not exist for Spanner: choose verify-full`)
  }
  if (route.tlsCa !== null && (route.host === '' || isEmulatorRoute(route))) {
    throw invalid('tlsCa', 'is for a host of your own over TLS')
  }
  if (route.tlsClientCertificate !== null) throw invalid('tlsClientCertificate', 'does not exist for Spanner')
}

/** The machine's own identity must not be handed to whoever the host names. */
function checkAmbientHost(route: DataSourceRoute): void {
  if (route.tlsCa !== null) throw invalid('tlsCa', 'cannot be chosen when the machine itself is what logs in')
  if (route.host === '' || GOOGLE_NAME.test(route.host)) return
  throw invalid('host', 'must be empty or a name under googleapis.com when the machine itself is what logs in')
}

function refuseAddress(field: string, value: string): void {
  const address = parseSpannerAddress(value)
  if (address === undefined) return
  const found = `the project is ${address.projectId} and the instance is ${address.instanceId}`
  throw invalid(field, `is a whole address: ${found}`)
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
