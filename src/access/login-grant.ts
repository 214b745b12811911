import type { DataSourceId, InstanceId, PrincipalId, RoleBindingId, WorkspaceId } from '../base/ids.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { SealedSecrets } from '../store/data-source-secrets.ts'

interface LoginGrantFields {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly principalName: string
  readonly instanceId: InstanceId
  readonly instanceName: string
  readonly roleName: string
  readonly bindingId: RoleBindingId
  /** The role that was bound: its oid in the cluster of this system identifier. Checked again in the upstream session itself. */
  readonly roleOid: string
  readonly systemIdentifier: string
  /** How to reach the upstream as this Postgres role. */
  readonly route: DataSourceRoute
  /**
   * What the way there needs besides: keys of a client certificate and of SSH servers, sealed for the admin data source, that is
   * for its own user. Null: nothing.
   */
  readonly routeSecrets: { readonly id: DataSourceId; readonly username: string; readonly sealed: SealedSecrets } | null
  /** Sealed SCRAM login key; null where the upstream knows the gateway by its operating system user (managed instances). */
  readonly loginKeySealed: Uint8Array | null
  /** What the login key is sealed for: the admin data source, with the bound Postgres role as its user. */
  readonly loginKeyRoute: DataSourceRoute
  /** The session is to be on a physical standby, and is checked to be. */
  readonly readOnly: boolean
  /** Other ways for the same login, tried in turn when this one does not lead to a session. */
  readonly alternatives: readonly LoginGrant[]
  /** When the credential or token of this login ends to open sessions. */
  readonly expiresAt: Date
  /** The session is told who it is in a form that SQL can verify, for databricks_create_role. */
  readonly carriesStatement: boolean
  /** The database that `databricks_postgres` stands for where no real one exists. */
  readonly defaultDatabase: string
}

/**
 * Proof that a verified principal may open a session as one Postgres role on one instance. It carries the route, so that a
 * session cannot be authorized for one upstream and dialled to another. Only {@link decideLogin} makes one.
 */
export class LoginGrant {
  readonly #proof = true
  readonly fields: LoginGrantFields

  private constructor(fields: LoginGrantFields) {
    this.fields = fields
  }

  /** For decide-login.ts alone. */
  static afterAuthorization(fields: LoginGrantFields): LoginGrant {
    return new LoginGrant(fields)
  }

  static isOne(value: unknown): value is LoginGrant {
    return value instanceof LoginGrant && value.#proof
  }
}
