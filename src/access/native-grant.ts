import type { DataSourceId, InstanceId, WorkspaceId } from '../base/ids.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { SealedSecrets } from '../store/data-source-secrets.ts'

interface NativeGrantFields {
  readonly workspaceId: WorkspaceId
  readonly instanceId: InstanceId
  readonly instanceName: string
  readonly roleName: string
  /** How to reach the upstream as this Postgres role. */
  readonly route: DataSourceRoute
  /** Keys of SSH servers on the way, sealed for the admin data source. Null: nothing. */
  readonly routeSecrets: { readonly id: DataSourceId; readonly username: string; readonly sealed: SealedSecrets } | null
  readonly defaultDatabase: string
  /** The cluster that the instance is; null: none was seen there yet. */
  readonly systemIdentifier: string | null
  /** Who configures the instance named the role: it may be a superuser. */
  readonly isNamed: boolean
}

/**
 * Proof that a password may be tried at the database as one Postgres role. Whether it is right is for the database to say, and
 * whether the role is one that may log in so, for the session itself. Only {@link decideNativeLogin} makes one.
 */
export class NativeGrant {
  readonly #proof = true
  readonly fields: NativeGrantFields

  private constructor(fields: NativeGrantFields) {
    this.fields = fields
  }

  /** For decide-native-login.ts alone. */
  static afterDecision(fields: NativeGrantFields): NativeGrant {
    return new NativeGrant(fields)
  }

  static isOne(value: unknown): value is NativeGrant {
    return value instanceof NativeGrant && value.#proof
  }
}
