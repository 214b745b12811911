import { CLOUD_SQL_IP_TYPES, readCloudSqlName } from '../contract/cloud-sql-name.ts'
import { ENGINE_CAPABILITIES } from '../contract/engines.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { readServiceAccountKey } from '../secrets/google/service-account.ts'
import { invalidField } from './invalid-field.ts'

const WAY = 'Cloud SQL is reached at the address that Google tells, by a TLS tunnel of its own'

/** The part of {@link checkCapabilities} for Cloud SQL, where a Google identity reaches the instance and logs in. */
export function checkRouteGcpIam(route: DataSourceRoute, secrets: DataSourceSecrets): void {
  const { host, port, tlsMode, tlsCa, tlsClientCertificate, tlsFiles, ssh, fields } = route
  if (readCloudSqlName(host) === undefined) {
    throw invalidField('host', 'must be the connection name of the instance, project:region:instance')
  }
  if (ssh.length > 0) {
    throw invalidField('ssh', `cannot be combined with login method gcp_iam: ${WAY}. Leave it out, or use a password`)
  }
  if (port !== ENGINE_CAPABILITIES[route.engine].defaultPort) {
    throw invalidField('port', `has no effect with login method gcp_iam: ${WAY}`)
  }
  if (tlsMode !== 'verify-full') {
    throw invalidField('tlsMode', 'must be verify-full with login method gcp_iam: the instance is always verified')
  }
  const given = Object.entries({
    tlsCa: tlsCa ?? undefined,
    tlsClientCertificate: tlsClientCertificate ?? undefined,
    tlsClientKey: secrets.tlsClientKey,
    ...Object.fromEntries(Object.entries(tlsFiles).map(([part, path]) => [`tlsFiles.${part}`, path])),
  }).find(([, value]) => value !== undefined)
  if (given !== undefined) {
    throw invalidField(
      given[0],
      'has no effect with login method gcp_iam: Google tells the authority and the certificate',
    )
  }
  const { cloudSqlIpType = '' } = fields
  if (cloudSqlIpType !== '' && !CLOUD_SQL_IP_TYPES.some((type) => type === cloudSqlIpType)) {
    throw invalidField('cloudSqlIpType', `must be one of ${CLOUD_SQL_IP_TYPES.join(', ')}`)
  }
  // One that lives elsewhere is read when it is used.
  if (secrets.serviceAccount !== undefined && route.secretReferences.serviceAccount === undefined) {
    readServiceAccountKey(secrets.serviceAccount)
  }
}
