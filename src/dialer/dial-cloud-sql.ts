import { X509Certificate } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import type { SecuredSocket, TlsPeer } from '../transport/byte-socket.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { withTimeLeft, type DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { upgradeSocket } from './secure-socket.ts'

/**
 * Opens the way to a Cloud SQL instance: Google names its address and authority and signs our certificate, then name → address
 * rules → socket → mutual TLS. What comes back is where the protocol of the database begins, which knows nothing of that TLS.
 *
 * @throws PosternError SECRET_SOURCE_* | UPSTREAM_* | CANCELLED
 */
export async function dialCloudSql(route: DataSourceRoute, options: DialOptions): Promise<SecuredSocket> {
  const deadlineAt = performance.now() + options.timeoutMs
  const { cloudLogins, secrets } = options
  const { host, port, tls, commonName, reject } = await cloudLogins.wayTo(route, secrets)
  try {
    const socket = await dialPlain({ ...route, host, port, ssh: [] }, withTimeLeft(options, deadlineAt))
    const { privateKey, ...settings } = tls
    return await upgradeSocket(
      socket,
      () => Promise.resolve({ ...settings, privateKeyPem: privateKey.reveal() }),
      withTimeLeft(options, deadlineAt),
      { check: (peer) => requireCommonName(peer, commonName) },
    )
  } catch (thrown) {
    // Another address, another authority: what was true when Google was asked may not be any more.
    if (!(thrown instanceof PosternError) || thrown.code !== 'CANCELLED') reject()
    throw thrown
  }
}

function requireCommonName({ certificate }: TlsPeer, expected: string | undefined): void {
  if (expected === undefined) return
  const { subject } = certificate === undefined ? { subject: '' } : new X509Certificate(certificate)
  if (subject.split('\n').includes(`CN=${expected}`)) return
  throw new PosternError('UPSTREAM_TLS_WRONG_NAME', 'the certificate of the database is for another Cloud SQL instance')
}
