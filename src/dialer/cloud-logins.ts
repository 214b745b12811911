import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DataSourceSecrets } from './data-source-secrets.ts'

/** What stands in for a password where a cloud vouches for who logs in. */
export interface CloudLogin {
  /** Good for a login of this user at this database, for minutes. */
  readonly token: Secret
  /** Made now, or remembered from an earlier login. */
  readonly origin: 'fetched' | 'cached'
  /** What it is, for whom and where, for people. */
  readonly description: string
  /** What to look at when the database does not take it. */
  readonly refusalHint: string
  /** Call it when the database refused the token: the next login gets another one. */
  reject(): void
}

/** Makes tokens for the login methods that have no password. */
export interface CloudLogins {
  /**
   * @param route with the user that logs in: the token is for this one at the database's own host and port, whatever the way there
   * @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT when no region is known
   */
  logIn(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudLogin>
}

/** For a process that has no business with them. */
export const noCloudLogins: CloudLogins = {
  logIn: () => Promise.reject(new PosternError('SECRET_SOURCE_REFUSED', 'this process has no cloud identity to use')),
}
