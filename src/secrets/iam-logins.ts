import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { CloudLogin, CloudLogins, CloudWay } from '../dialer/cloud-logins.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import type { DialerDependencies } from '../dialer/dial-options.ts'
import { AheadOfNeed } from './ahead-of-need.ts'
import type { CloudIdentity, MadeToken } from './cloud-identity.ts'
import { dialledSecretHttp } from './dialled-secret-http.ts'
import { entraIdentity } from './entra-identity.ts'
import { cloudSqlIdentity } from './google/cloud-sql-identity.ts'
import { CloudSqlWays } from './google/cloud-sql-ways.ts'
import type { OperatorPolicy } from './operator-policy.ts'
import { rdsIdentity } from './rds-identity.ts'
import type { FetchContext } from './secret-source.ts'

export interface IamLoginsOptions {
  readonly dialer: DialerDependencies
  readonly policy: OperatorPolicy
  readonly clock: Clock
  /** For making one token or finding one way, what is asked for it included. */
  readonly timeoutMs: number
}

/** This long before a token ends the next one is made, while logins go on with the old one. */
const AHEAD_MS = 3 * 60_000

/**
 * Tokens of clouds, one for each database, user and identity, remembered until it ends. One is made at a time, however many
 * logins ask; what is asked of a cloud is asked ahead of need.
 */
export class IamLogins implements CloudLogins {
  readonly #options: IamLoginsOptions
  readonly #tokens: AheadOfNeed<MadeToken>
  readonly #ways: CloudSqlWays

  constructor(options: IamLoginsOptions) {
    this.#options = options
    this.#tokens = new AheadOfNeed(options.clock, AHEAD_MS)
    this.#ways = new CloudSqlWays(options.clock)
  }

  /**
   * @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT when no region is known; SECRET_SOURCE_REFUSED where the operator does
   *   not let this node's own identity log in
   */
  async logIn(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudLogin> {
    const identity = this.#identityOf(route, secrets)
    const { value, origin, forget } = await this.#tokens.get(digest(identity.key), () =>
      this.#inTime((context) => identity.makeToken(context)),
    )
    // The way is found here too: what the cloud refuses is told where its identity is spoken of.
    if (route.loginMethod === 'gcp_iam') await this.wayTo(route, { ...secrets, password: value.token })
    return {
      username: identity.username,
      token: value.token,
      origin,
      description: value.description,
      refusalHint: () => identity.refusalHint(this.#context(AbortSignal.timeout(this.#options.timeoutMs))),
      reject: forget,
    }
  }

  wayTo(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudWay> {
    return this.#ways.find(route, secrets, this.#options.policy, (find) => this.#inTime(find))
  }

  #identityOf(route: DataSourceRoute, secrets: DataSourceSecrets): CloudIdentity {
    const { policy } = this.#options
    switch (route.loginMethod) {
      case 'aws_iam':
        return rdsIdentity(route, secrets, policy)
      case 'gcp_iam':
        return cloudSqlIdentity(route, secrets, policy)
      case 'azure_entra':
        return entraIdentity(route, secrets, policy)
      case 'password':
      case 'key_pair':
      case 'access_token':
      case 'service_account':
      case 'ambient':
        throw new PosternError('INTERNAL', `login method ${route.loginMethod} has no cloud identity`)
    }
  }

  async #inTime<T>(ask: (context: FetchContext) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      return await ask(this.#context(signal))
    } catch (thrown) {
      if (thrown instanceof PosternError || !signal.aborted) throw thrown
      throw new PosternError('SECRET_SOURCE_UNAVAILABLE', `the cloud did not answer within ${timeoutMs} ms`, {
        cause: thrown,
      })
    }
  }

  #context(signal: AbortSignal): FetchContext {
    const { dialer, policy, clock } = this.#options
    return { http: dialledSecretHttp(dialer), dialer, policy, signal, now: () => clock.now() }
  }
}

/** Keeps access keys out of the map's keys. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
