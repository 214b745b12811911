import type { EngineField, EngineName, LoginMethod } from '../contract/engines.ts'
import type { TlsMode } from '../contract/tls-mode.ts'
import type { PublicReferences } from './data-source-secrets.ts'

/** One SSH server on the way. The last hop of a route is the one that opens the way to the database. */
export interface SshHop {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly auth: 'password' | 'private_key'
  /** `SHA256:` and base64 without padding, as ssh-keygen -l prints it. Null: not pinned yet, so nothing secret is sent. */
  readonly hostKey: string | null
}

/** TLS material that is read from files of this machine each time, from folders that the operator allows. Absolute paths. */
export type TlsFiles = Readonly<Partial<Record<'ca' | 'certificate' | 'key', string>>>

/**
 * Where a data source leads and how it is to be reached: everything the dialer needs, and no secret.
 * A `host` that begins with `/` is the folder of a Unix socket (as in libpq); TLS does not apply there.
 */
export interface DataSourceRoute {
  readonly engine: EngineName
  /** Host name, IP address, or absolute folder of a Unix socket. Empty where the engine has a well-known one (Snowflake, Spanner). */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly loginMethod: LoginMethod
  readonly tlsMode: TlsMode
  /** PEM bundle of the authorities to trust; null means those of `tlsFiles.ca`, of RDS for its endpoints, or the public ones. */
  readonly tlsCa: string | null
  /** PEM chain of the certificate that we present; its key is the secret `tlsClientKey`. */
  readonly tlsClientCertificate: string | null
  readonly tlsFiles: TlsFiles
  /** SSH servers in the order in which they are passed; empty: straight to the database. */
  readonly ssh: readonly SshHop[]
  /** What the engine needs beyond host, port, database and user. */
  readonly fields: Readonly<Partial<Record<EngineField, string>>>
  readonly extraParameters: Readonly<Record<string, string>>
  /** Secrets that live elsewhere: pointed at another place they are other secrets. */
  readonly secretReferences: PublicReferences
}

/** A route has these where nothing is said about them. */
export const PLAIN_ROUTE = {
  tlsCa: null,
  tlsClientCertificate: null,
  tlsFiles: {},
  ssh: [],
  fields: {},
  extraParameters: {},
  secretReferences: {},
} as const satisfies Partial<DataSourceRoute>

/** Whether the route leads to a Unix socket of this machine. */
export function isUnixRoute(route: Pick<DataSourceRoute, 'host'>): boolean {
  return route.host.startsWith('/')
}

/**
 * Whether a socket that `dial` opened for this route may carry a password that its receiver could use again (cleartext,
 * md5): only where TLS proved who receives it (design section 5, invariant 3). `verify-ca` counts only with an authority
 * that the operator named, since a public one vouches for anybody.
 */
export function mayCarryRecoverablePassword(route: DataSourceRoute): boolean {
  if (isUnixRoute(route)) return false
  const namesAuthority = route.tlsCa !== null || route.tlsFiles.ca !== undefined
  return route.tlsMode === 'verify-full' || (route.tlsMode === 'verify-ca' && namesAuthority)
}
