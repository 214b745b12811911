import { PosternError } from '../../base/errors.ts'
import { isUnixRoute, type DataSourceRoute } from '../../dialer/data-source-route.ts'

/** A DNS name or an IP address: whatever else libpq reads as a host (folders, `@` names, lists) would be ignored rules. */
const HOST =
  /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?|[0-9a-f:.]*:[0-9a-f:.]*)$/i
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/

/**
 * Checks a route to a Postgres server: what cannot be honoured is refused, never ignored (design section 5, invariant 5).
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkPostgresRoute(route: DataSourceRoute): void {
  // The host of a Cloud SQL route is a connection name, and looked at with its login method.
  const isNamed = isUnixRoute(route) || route.loginMethod === 'gcp_iam'
  if (!isNamed && !HOST.test(route.host)) throw invalid('host', 'must be a host name or an IP address')
  for (const field of ['database', 'username'] as const) {
    if (Buffer.byteLength(route[field]) > 63)
      throw invalid(field, 'must be at most 63 bytes, since Postgres cuts longer names')
    if (route[field].includes('\0')) throw invalid(field, 'must not contain a zero byte')
  }
  const verifies = route.tlsMode === 'verify-ca' || route.tlsMode === 'verify-full'
  const namesAuthority = route.tlsCa !== null || route.tlsFiles.ca !== undefined
  if (namesAuthority && !verifies) {
    throw invalid(
      'tlsCa',
      `has no effect with TLS mode ${route.tlsMode}: leave it out, or choose verify-ca or verify-full`,
    )
  }
  if (route.tlsCa !== null && !PEM_CERTIFICATE.test(route.tlsCa))
    throw invalid('tlsCa', 'must be certificates in PEM form')
  // As libpq: a public authority vouches for everyone, so without the name check it would verify nobody.
  if (route.tlsMode === 'verify-ca' && !namesAuthority) {
    throw invalid(
      'tlsMode',
      'verify-ca needs tlsCa; with the public authorities only verify-full says whom one talks to',
    )
  }
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
