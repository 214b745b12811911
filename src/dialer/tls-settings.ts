import { createPrivateKey, X509Certificate } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import type { TlsMode } from '../contract/tls-mode.ts'
import type { TlsClientOptions } from '../transport/byte-socket.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DialOptions } from './dial-options.ts'
import { rdsAuthorities } from './rds-authorities.ts'
import { readTlsFile } from './tls-files.ts'

const VERIFY: Readonly<Record<Exclude<TlsMode, 'disable'>, TlsClientOptions['verify']>> = {
  require: 'none',
  'verify-ca': 'chain',
  'verify-full': 'full',
}

/**
 * The TLS of a route with its files read and its key revealed: for one handshake, not to be kept.
 * @throws PosternError INVALID_ARGUMENT naming the field that cannot be read, or that lacks its other half
 */
export async function readTlsSettings(
  route: DataSourceRoute,
  { secrets, tlsFileFolders }: Pick<DialOptions, 'secrets' | 'tlsFileFolders'>,
): Promise<TlsClientOptions> {
  if (route.tlsMode === 'disable') throw new PosternError('INTERNAL', 'TLS asked for on a route without TLS')
  const file = (part: 'ca' | 'certificate' | 'key') => readTlsFile(part, route.tlsFiles[part], tlsFileFolders)
  const given = route.tlsCa ?? (await file('ca'))
  const caPem = given ?? rdsAuthorities(route.host)
  const certificatePem = route.tlsClientCertificate ?? (await file('certificate'))
  const privateKeyPem = secrets.tlsClientKey?.reveal() ?? (await file('key'))
  if (given !== undefined) readCertificates(given, route.tlsCa === null ? 'tlsFiles.ca' : 'tlsCa')
  checkClientIdentity(certificatePem, privateKeyPem, {
    certificate: route.tlsClientCertificate === null ? 'tlsFiles.certificate' : 'tlsClientCertificate',
    key: secrets.tlsClientKey === undefined ? 'tlsFiles.key' : 'tlsClientKey',
  })
  return { serverName: route.host, caPem, certificatePem, privateKeyPem, verify: VERIFY[route.tlsMode] }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Every certificate of a PEM text, the first one first.
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function readCertificates(pem: string, field: string): readonly X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? []
  if (blocks.length === 0) throw invalid(field, 'must be certificates in PEM form')
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw invalid(field, `holds a certificate (number ${index + 1}) that cannot be read`, cause)
    }
  })
}

/**
 * That a client certificate and its key are both there or both not, that they can be read, and that they belong together.
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkClientIdentity(
  certificatePem: string | undefined,
  privateKeyPem: string | undefined,
  fields: { readonly certificate: string; readonly key: string },
): void {
  if (certificatePem === undefined && privateKeyPem === undefined) return
  if (certificatePem === undefined) throw invalid(fields.key, 'needs the client certificate that belongs to it')
  if (privateKeyPem === undefined) throw invalid(fields.certificate, 'needs the key that belongs to it (tlsClientKey)')
  const [certificate] = readCertificates(certificatePem, fields.certificate)
  let matches: boolean | undefined
  try {
    matches = certificate?.checkPrivateKey(createPrivateKey(privateKeyPem))
  } catch (cause) {
    throw invalid(fields.key, 'must be a private key in PEM form without a passphrase', cause)
  }
  if (!matches) throw invalid(fields.key, 'does not belong to the client certificate')
}

function invalid(field: string, reason: string, cause?: unknown): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field }, cause })
}
