import type { MasterKey } from '../../crypto/master-key.ts'
import type { DialOptions } from '../../dialer/dial.ts'
import { resolveSecrets } from '../data-source-login.ts'
import { openDataSourceSecrets } from '../data-source-secrets.ts'
import type { LoginGrant } from '../login-grant.ts'

/**
 * What a dial for this grant needs: the options, with the secrets of the way where it has any. They are opened here and nowhere
 * kept.
 * @throws PosternError SECRET_UNREADABLE | SECRET_SOURCE_*
 */
export async function withRouteSecrets(
  options: DialOptions,
  { fields }: LoginGrant,
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
