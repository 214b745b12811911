import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { TlsClientOptions } from '../transport/byte-socket.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DataSourceSecrets } from './data-source-secrets.ts'

/** What stands in for a password where a cloud vouches for who logs in. */
export interface CloudLogin {
  /** Who logs in, as the database names the identity. */
  readonly username: string
  /** Good for a login of this user at this database, for minutes. */
  readonly token: Secret
  /** Made now, or remembered from an earlier login. */
  readonly origin: 'fetched' | 'cached'
  /** What it is, for whom and where, for people. */
  readonly description: string
  /** What to look at when the database does not take it. May ask the cloud; never throws. */
  refusalHint(): Promise<string>
  /** Call it when the database refused the token: the next login gets another one. */
  reject(): void
}

/** A way that the cloud names: an address, and TLS whose client certificate it has just signed. */
export interface CloudWay {
  /** IP address, or a name that resolves in the own network (PSC). */
  readonly host: string
  readonly port: number
  readonly tls: Omit<TlsClientOptions, 'privateKeyPem'> & { readonly privateKey: Secret }
  /** What the certificate of the instance is for, where it is not `tls.serverName`: its common name. */
  readonly commonName: string | undefined
  /** Call it when the way did not lead there: the next attempt asks the cloud again. */
  reject(): void
}

/** Makes tokens for the login methods that have no password. */
export interface CloudLogins {
  /**
   * @param route with the user that logs in: the token is for this one at the database's own host and port, whatever the way there
   * @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT when no region is known
   */
  logIn(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudLogin>
  /**
   * The way to a Cloud SQL instance (login method gcp_iam).
   *
   * @param secrets the password, where there is one, is the token of the identity: only then the certificate logs in as it. Other
   *   users of the database, who have logins of their own, come by a certificate that says nothing about users
   * @throws PosternError SECRET_SOURCE_*
   */
  wayTo(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudWay>
}

const refused = () =>
  Promise.reject(new PosternError('SECRET_SOURCE_REFUSED', 'this process has no cloud identity to use'))

/** For a process that has no business with them. */
export const noCloudLogins: CloudLogins = { logIn: refused, wayTo: refused }
