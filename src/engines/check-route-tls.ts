import type { EngineCapabilities } from '../contract/engines.ts'
import { isUnixRoute, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { readCertificates, checkClientIdentity } from '../dialer/tls-settings.ts'
import { invalidField } from './invalid-field.ts'

/** The TLS part of {@link checkCapabilities}. Files are not read here: they may change until the route is dialled. */
export function checkRouteTls(
  route: DataSourceRoute,
  secrets: DataSourceSecrets,
  capabilities: EngineCapabilities,
): void {
  const { tlsMode, tlsCa, tlsClientCertificate, tlsFiles } = route
  if (!capabilities.tlsModes.includes(tlsMode)) {
    const known = capabilities.tlsModes.join(' or ')
    throw invalidField('tlsMode', `${tlsMode} is not possible with ${capabilities.title}: use ${known}`)
  }
  for (const [part, path] of Object.entries(tlsFiles)) {
    if (path !== undefined && !path.startsWith('/')) throw invalidField(`tlsFiles.${part}`, 'must be an absolute path')
  }
  onlyOne('tlsCa', tlsCa, 'tlsFiles.ca', tlsFiles.ca)
  onlyOne('tlsClientCertificate', tlsClientCertificate, 'tlsFiles.certificate', tlsFiles.certificate)
  onlyOne('tlsClientKey', secrets.tlsClientKey, 'tlsFiles.key', tlsFiles.key)
  checkAuthority(route)
  checkClient(route, secrets, capabilities)
}

function checkAuthority(route: DataSourceRoute): void {
  const { tlsMode, tlsCa, tlsFiles } = route
  const field = tlsCa === null ? 'tlsFiles.ca' : 'tlsCa'
  const isGiven = tlsCa !== null || tlsFiles.ca !== undefined
  const verifies = tlsMode === 'verify-ca' || tlsMode === 'verify-full'
  if (isGiven && !verifies) {
    throw invalidField(
      field,
      `has no effect with TLS mode ${tlsMode}: leave it out, or choose verify-ca or verify-full`,
    )
  }
  // As libpq: a public authority vouches for everyone, so without the name check it would verify nobody.
  if (tlsMode === 'verify-ca' && !isGiven && !isUnixRoute(route)) {
    throw invalidField(
      'tlsMode',
      'verify-ca needs tlsCa; with the public authorities only verify-full says whom one talks to',
    )
  }
  if (tlsCa !== null) readCertificates(tlsCa, 'tlsCa')
}

function checkClient(route: DataSourceRoute, secrets: DataSourceSecrets, capabilities: EngineCapabilities): void {
  const { tlsClientCertificate, tlsFiles, tlsMode } = route
  const certificate = tlsClientCertificate === null ? 'tlsFiles.certificate' : 'tlsClientCertificate'
  const key = secrets.tlsClientKey === undefined ? 'tlsFiles.key' : 'tlsClientKey'
  const hasCertificate = tlsClientCertificate !== null || tlsFiles.certificate !== undefined
  const hasKey = secrets.tlsClientKey !== undefined || tlsFiles.key !== undefined
  if (!hasCertificate && !hasKey) return
  const given = hasCertificate ? certificate : key
  if (!capabilities.clientCertificate) {
    throw invalidField(given, `means nothing to ${capabilities.title}, which takes no client certificate: leave it out`)
  }
  if (tlsMode === 'disable' || isUnixRoute(route)) {
    throw invalidField(given, 'has no effect without TLS: leave it out, or choose a TLS mode')
  }
  if (!hasCertificate) throw invalidField(key, 'needs the client certificate that belongs to it')
  if (!hasKey) throw invalidField(certificate, 'needs the key that belongs to it (tlsClientKey)')
  // One that lives elsewhere is compared when it is used.
  const isHere = secrets.tlsClientKey !== undefined && route.secretReferences.tlsClientKey === undefined
  if (tlsClientCertificate !== null && isHere) {
    checkClientIdentity(tlsClientCertificate, secrets.tlsClientKey.reveal(), { certificate, key })
  } else if (tlsClientCertificate !== null) {
    readCertificates(tlsClientCertificate, certificate)
  }
}

function onlyOne(field: string, value: unknown, fileField: string, path: string | undefined): void {
  if (value !== null && value !== undefined && path !== undefined) {
    throw invalidField(fileField, `has no effect beside ${field}: give one of them`)
  }
}
