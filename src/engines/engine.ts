import type { Secret } from '../base/secret.ts'
import type { LoginKey } from '../crypto/login-key.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DialerDependencies, DialStage } from '../dialer/dial.ts'

/** How Postern works with one make of database. Optional parts are capabilities that a make may lack. */
export interface Engine {
  readonly name: DataSourceRoute['engine']
  /**
   * Checks that a route means something to this engine.
   * @throws PosternError INVALID_ARGUMENT naming the field: what cannot be honoured is refused, never ignored
   */
  checkRoute(route: DataSourceRoute): void
  /**
   * Dials, logs in and makes the session safe to work in (fixed search path, bounded statements).
   * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND
   */
  open(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession>
  /** Present where database sessions log in as Postgres roles that Postern makes. */
  readonly roleLogin?: RoleLoginCapability
}

export interface OpenOptions {
  readonly dialer: DialerDependencies
  readonly password: Secret
  /** For dialing and login together. */
  readonly timeoutMs: number
  readonly onStage?: (stage: DialStage | 'login') => void
}

/** An open session of an administrator. Always close it. */
export interface EngineSession {
  readonly serverVersion: string
  /**
   * What the session's user must be allowed before Postern can do its work there.
   * @throws PosternError where the server cannot be an admin data source at all (a standby, too old)
   */
  checkPrivileges(): Promise<PrivilegeReport>
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  inTransaction<T>(work: () => Promise<T>): Promise<T>
  readonly roles: PostgresRoles
  close(): Promise<void>
}

export interface PrivilegeReport {
  /** Names the cluster for as long as it lives; a restored copy has the same, a new cluster another. */
  readonly systemIdentifier: string
  /** SQL that an administrator of the database should run, so that Postgres roles can be bound. */
  readonly missingPrivileges: readonly string[]
}

export interface RoleLoginCapability {
  /** Whether the role's password upstream is still the one that belongs to this login key. */
  acceptsLoginKey(
    route: DataSourceRoute,
    loginKey: LoginKey,
    options: { readonly dialer: DialerDependencies; readonly timeoutMs: number },
  ): Promise<boolean>
}

/** Attributes that a bound Postgres role is given explicitly either way. It never has SUPERUSER or REPLICATION. */
export interface RoleAttributes {
  readonly createDb: boolean
  readonly createRole: boolean
  readonly bypassRls: boolean
}

/** A Postgres role as the upstream has it. */
export interface UpstreamRole {
  readonly oid: string
  readonly attributes: RoleAttributes
  readonly canLogin: boolean
  readonly isSuperuser: boolean
  readonly mayReplicate: boolean
  readonly inherits: boolean
  /** VALID UNTIL is set: its password ends working on its own. */
  readonly passwordExpires: boolean
  /** Names of the roles that it is a direct member of. */
  readonly memberOf: readonly string[]
}

/** Work on the Postgres roles of an instance, with the privileges of the session's user. */
export interface PostgresRoles {
  find(roleName: string): Promise<UpstreamRole | undefined>
  /**
   * Makes a role with LOGIN INHERIT NOSUPERUSER NOREPLICATION and exactly these attributes.
   * @param passwordVerifier SCRAM verifier; null leaves the role without any password
   * @returns its oid
   * @throws PosternError ROLE_TAKEN when a role of this name exists
   */
  create(roleName: string, attributes: RoleAttributes, passwordVerifier: string | null): Promise<string>
  /** Brings an existing role back to LOGIN INHERIT NOSUPERUSER NOREPLICATION, no expiry and exactly these attributes. */
  restoreAttributes(roleName: string, found: UpstreamRole, attributes: RoleAttributes): Promise<void>
  setPasswordVerifier(roleName: string, passwordVerifier: string): Promise<void>
  /** Makes `roleName` a member of `group`; `marker` memberships carry no privileges and only say what the role is. */
  grantMembership(group: string, roleName: string, kind: 'privileges' | 'marker'): Promise<void>
  /**
   * Makes the administrators' role if there is none. One that exists is used as it is and never given privileges: whoever
   * made it could pass them on to himself.
   */
  ensureAdministratorsRole(): Promise<void>
  /**
   * Ends the role's sessions and drops it. What it owns in any database goes to `reassignOwnedTo`.
   * @throws PosternError IN_USE when it owns something and `reassignOwnedTo` is undefined, or others granted it privileges
   */
  drop(roleName: string, found: UpstreamRole, reassignOwnedTo: string | undefined): Promise<void>
}
