import type { EngineName, ManageMode } from '../contract/engines.ts'
import type { LoginKey } from '../crypto/login-key.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import type { DialerDependencies, DialStage } from '../dialer/dial.ts'
import type { ByteSocket } from '../transport/byte-socket.ts'
import type { DatabaseSummary, DescribeOptions, DescribedSchema } from './catalog-shapes.ts'
import type { QueryEvent, QueryOptions } from './query-events.ts'

/** How Postern works with one make of database. Optional parts are capabilities that a make may lack. */
export interface Engine {
  readonly name: EngineName
  /**
   * Checks that a route means something to this engine, beyond what its capability row says.
   * @throws PosternError INVALID_ARGUMENT naming the field: what cannot be honoured is refused, never ignored
   */
  checkRoute(route: DataSourceRoute): void
  /**
   * Dials, logs in and makes the session safe to work in (fixed search path, bounded statements).
   * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND
   */
  open(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession>
  /** Statements that give the user of a data source what it needs, names filled in, for the form and the documentation. */
  grantStatements(purpose: SessionPurpose, names: GrantNames): readonly string[]
  /** Present where people log in through the gateway as Postgres roles that Postern makes. */
  readonly roleLogin?: RoleLoginCapability
}

/** `admin`: the catalogue and every change. `read_only`: the session is held to reading, as far as the engine can. */
export type SessionPurpose = 'admin' | 'read_only'

export interface GrantNames {
  readonly username: string
  readonly database: string
}

export interface OpenOptions {
  readonly dialer: DialerDependencies
  readonly secrets: DataSourceSecrets
  readonly purpose: SessionPurpose
  /** What counts as a database, for engines with manage modes; `database` where it is not given. */
  readonly manageMode?: ManageMode | undefined
  /** For dialing and login together. */
  readonly timeoutMs: number
  readonly onStage?: (stage: DialStage | 'login', detail?: StageDetail) => void
  /** Ends the attempt. */
  readonly signal?: AbortSignal
}

/** What a stage brought to light, for the report: protocol and certificate of TLS, host key of SSH. Never a secret. */
export type StageDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** An open session. Always close it. One statement at a time. */
export interface EngineSession {
  readonly serverVersion: string
  ping(): Promise<void>
  /** What the session's user may do, what is missing, and what the database says about itself. */
  checkPrivileges(): Promise<PrivilegeReport>
  /** Databases that the user may see, with the engine's own left out. */
  listDatabases(): Promise<readonly DatabaseSummary[]>
  /** Schemas of one database, one by one. A schema that cannot be read comes with its problem, and the next one follows. */
  describe(database: string, options: DescribeOptions): AsyncIterable<DescribedSchema>
  /**
   * Runs statements and streams what they answer; back-pressure reaches the database. Aborting the signal cancels in the database
   * and ends the iteration with CANCELLED.
   * @throws PosternError STATEMENT_FAILED with the position of the error | CANCELLED | UPSTREAM_*
   */
  query(statement: string, options: QueryOptions): AsyncIterable<QueryEvent>
  close(): Promise<void>
}

export interface PrivilegeReport {
  /** User as the database knows it, for example `bytebase@%`. */
  readonly user: string
  /** What the user may do, in the engine's own words, for people to read. At most 100 entries. */
  readonly privileges: readonly string[]
  /** SQL that an administrator of the database should run: exactly the missing grants, names quoted. */
  readonly missingPrivileges: readonly string[]
  /** What should be known though it stops nothing: a read-only user who can in fact write, a certificate that ends soon. */
  readonly warnings: readonly string[]
  /** Address that we come from, as the database sees it; null where it cannot tell. */
  readonly seenAddress: string | null
  /** Names the cluster for as long as it lives, where the engine has such a name. */
  readonly systemIdentifier: string | null
  /** Seconds that a replica is behind its primary; null on a primary or where it cannot be told. */
  readonly replicaLagSeconds: number | null
}

/** What the gateway's side of Postgres needs from its engine: roles that people log in as. */
export interface RoleLoginCapability {
  /** @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND */
  openRoleSession(route: DataSourceRoute, options: Omit<OpenOptions, 'purpose'>): Promise<RoleSession>
  /** Whether the role's password upstream is still the one that belongs to this login key. */
  acceptsLoginKey(
    route: DataSourceRoute,
    loginKey: LoginKey,
    options: { readonly dialer: DialerDependencies; readonly secrets: DataSourceSecrets; readonly timeoutMs: number },
  ): Promise<boolean>
  /**
   * A session for statements on a socket that is logged in already, as the role of the route; it takes over the socket's
   * handlers before it returns. What the role may do, the session may do: nothing is held to reading.
   * @throws PosternError UPSTREAM_*
   */
  adoptSession(route: DataSourceRoute, loggedIn: LoggedInSocket): Promise<EngineSession>
}

/** A socket on which the login is over and no statement was sent yet. */
export interface LoggedInSocket {
  readonly socket: ByteSocket
  /** Whole messages: what the server said between AuthenticationOk and ReadyForQuery, BackendKeyData left out. */
  readonly greeting: readonly Uint8Array[]
  /** What arrived and was not read. */
  readonly unread: Uint8Array
  /** Sends a CancelRequest for this session, and resolves once the server has acted on it. */
  readonly cancel: () => Promise<void>
  /** For the driver to take it over. */
  readonly dialer: DialerDependencies
}

/** An open session of an administrator who works on Postgres roles. Always close it. */
export interface RoleSession {
  readonly serverVersion: string
  /**
   * What the session's user must be allowed before Postern can do its work there.
   * @throws PosternError where the server cannot be an admin data source at all (a standby, too old)
   */
  checkPrivileges(): Promise<{ readonly systemIdentifier: string; readonly missingPrivileges: readonly string[] }>
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  inTransaction<T>(work: () => Promise<T>): Promise<T>
  readonly roles: PostgresRoles
  readonly sqlRoles: SqlRoles
  close(): Promise<void>
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
  /** Takes the membership that this session's user granted. One that somebody else granted stays. */
  revokeMembership(group: string, roleName: string): Promise<void>
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
  /**
   * Ends these sessions of the role, as far as they still are its own. Where the session's user may not, it becomes a member
   * of the role for that moment, as far as it may.
   * @param pids process ids of their backends
   */
  endSessions(roleName: string, roleOid: string, pids: readonly number[]): Promise<void>
}

/** A Postgres role that databricks_create_role made and that waits to be bound. */
export interface SqlRoleRequest {
  readonly roleOid: string
  readonly roleName: string
  readonly identityType: 'USER' | 'SERVICE_PRINCIPAL' | 'GROUP'
  readonly identityId: string
  /** What the session carried: whoever asked is in it. */
  readonly sessionStatement: string
  /** By the clock of the database. */
  readonly requestedAt: Date
}

/** What a database with databricks_auth is told: who there is, and who has a role. */
export interface SqlRoleDirectory {
  readonly instanceId: string
  /** Modulus of the public key of session statements, in decimal digits. */
  readonly modulus: string
  /** The group of all bound roles; null where there is none. */
  readonly marker: string | null
  readonly identities: readonly { readonly identityType: string; readonly name: string; readonly identityId: string }[]
  readonly boundRoles: readonly {
    readonly roleOid: string
    readonly identityType: string
    readonly identityId: string
  }[]
}

/** The other side of databricks_auth, in the database of the session unless it says otherwise (docs/design/0018). */
export interface SqlRoles {
  /**
   * Databases of the whole server that may have the extension: those named here, or those in which the session's user owns a
   * function. `mark` changes when the extension is made anew; `waits` when a role that was made there waits to be bound.
   */
  look(
    databases: readonly string[] | undefined,
  ): Promise<readonly { readonly database: string; readonly mark: string; readonly waits: boolean }[]>
  isInstalled(): Promise<boolean>
  /**
   * Makes the objects of the extension for the session's user, without the extension's files. Repeating it changes nothing.
   * @throws PosternError INVALID_ARGUMENT below PostgreSQL 11; UPSTREAM_*
   */
  install(): Promise<void>
  /** Replaces what the database was told before. */
  refresh(directory: SqlRoleDirectory): Promise<void>
  requests(): Promise<readonly SqlRoleRequest[]>
  /** In a transaction: takes the request for itself. @returns whether it was still there */
  take(request: SqlRoleRequest): Promise<boolean>
  /** Says why a request was refused, for databricks_list_roles to show. */
  refuse(request: SqlRoleRequest, reason: string): Promise<void>
}
