import type { RoleBindingId } from '../base/ids.ts'
import type { SealContext } from '../crypto/seal.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'

/**
 * What the login key of a binding is sealed for: this binding, at this destination.
 * @param roleRoute the route of the admin data source with the bound Postgres role as its user
 */
export function loginKeyContext(bindingId: RoleBindingId, roleRoute: DataSourceRoute): SealContext {
  return {
    table: 'postgres_role_binding',
    row: bindingId,
    field: 'login_key',
    destination: destinationFingerprint(roleRoute),
  }
}
