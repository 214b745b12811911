import type { MasterKey } from '../../crypto/master-key.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import { dial, type DialOptions } from '../../dialer/dial.ts'
import type { ByteSocket } from '../../transport/byte-socket.ts'
import { withWaySecrets } from '../data-source-login.ts'
import { openDataSourceSecrets } from '../data-source-secrets.ts'
import type { LoginGrant } from '../login-grant.ts'
import { NativeGrant } from '../native-grant.ts'

/**
 * Dials the way of a grant, with the secrets of the way where it has any. They are opened here and nowhere kept; one that was
 * exchanged where it lives is fetched anew. A login by
 * password shows no certificate of ours: the database could take it for the proof of who logs in.
 *
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | SECRET_SOURCE_*
 */
export async function dialGrant(
  options: DialOptions,
  grant: LoginGrant | NativeGrant,
  masterKey: MasterKey,
): Promise<ByteSocket> {
  const { route, routeSecrets } = grant.fields
  const attempt = (secrets: DataSourceSecrets): Promise<ByteSocket> => {
    if (!NativeGrant.isOne(grant)) return dial(route, { ...options, secrets })
    const { tlsClientKey: _, ...ofTheWay } = secrets
    return dial(withoutOurProof(route), { ...options, secrets: ofTheWay })
  }
  if (routeSecrets === null) return attempt(options.secrets)
  const { id, username, sealed } = routeSecrets
  // They belong to the data source, whose user is another one than the route's.
  const source = { ...route, id, username, sealedSecrets: sealed }
  const stored = await openDataSourceSecrets({ masterKey }, source)
  return withWaySecrets(options.secretReferences, route, stored, attempt)
}

function withoutOurProof(route: DataSourceRoute): DataSourceRoute {
  const { certificate: _, key: __, ...tlsFiles } = route.tlsFiles
  // The certificate by which Cloud SQL lets us through says nothing about who logs in.
  const loginMethod = route.loginMethod === 'gcp_iam' ? route.loginMethod : 'password'
  return { ...route, loginMethod, tlsClientCertificate: null, tlsFiles }
}
