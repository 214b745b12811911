import type { MasterKey } from '../../crypto/master-key.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dial, type DialOptions } from '../../dialer/dial.ts'
import type { ByteSocket } from '../../transport/byte-socket.ts'
import { resolveSecrets } from '../data-source-login.ts'
import { openDataSourceSecrets } from '../data-source-secrets.ts'
import type { LoginGrant } from '../login-grant.ts'
import { NativeGrant } from '../native-grant.ts'

/**
 * Dials the way of a grant, with the secrets of the way where it has any. They are opened here and nowhere kept. A login by
 * password shows no certificate of ours: the database could take it for the proof of who logs in.
 *
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | SECRET_SOURCE_*
 */
export async function dialGrant(
  options: DialOptions,
  grant: LoginGrant | NativeGrant,
  masterKey: MasterKey,
): Promise<ByteSocket> {
  const prepared = await withRouteSecrets(options, grant, masterKey)
  const { route } = grant.fields
  if (!NativeGrant.isOne(grant)) return dial(route, prepared)
  const { tlsClientKey: _, ...secrets } = prepared.secrets
  return dial(withoutOurProof(route), { ...prepared, secrets })
}

function withoutOurProof(route: DataSourceRoute): DataSourceRoute {
  const { certificate: _, key: __, ...tlsFiles } = route.tlsFiles
  return { ...route, loginMethod: 'password', tlsClientCertificate: null, tlsFiles }
}

async function withRouteSecrets(
  options: DialOptions,
  { fields }: LoginGrant | NativeGrant,
  masterKey: MasterKey,
): Promise<DialOptions> {
  const { route, routeSecrets } = fields
  if (routeSecrets === null) return options
  const { id, username, sealed } = routeSecrets
  // They belong to the data source, whose user is another one than the route's.
  const source = { ...route, id, username, sealedSecrets: sealed }
  const stored = await openDataSourceSecrets({ masterKey }, source)
  const { secrets } = await resolveSecrets(options.secretReferences, route, stored)
  return { ...options, secrets }
}
