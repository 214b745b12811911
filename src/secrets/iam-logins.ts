import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { AwsCredentials } from '../contract/secret-references.ts'
import type { CloudLogin, CloudLogins } from '../dialer/cloud-logins.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import type { DialerDependencies } from '../dialer/dial-options.ts'
import { dialledSecretHttp } from './dialled-secret-http.ts'
import { requireAmbientIamHost, type OperatorPolicy } from './operator-policy.ts'
import { rdsAuthToken, type RdsLogin } from './rds-auth-token.ts'
import type { FetchContext } from './secret-source.ts'

export interface IamLoginsOptions {
  readonly dialer: DialerDependencies
  readonly policy: OperatorPolicy
  readonly clock: Clock
  /** For making one token, the assumed role included. */
  readonly timeoutMs: number
}

interface Entry {
  readonly token: Secret
  readonly region: string
  /** Milliseconds since the epoch. */
  readonly usableUntil: number
}

/** This long before a token ends the next one is made, while logins go on with the old one. */
const AHEAD_MS = 3 * 60_000
const MAX_ENTRIES = 1_000

/**
 * Tokens of AWS for RDS and Aurora, one for each database, user and identity, remembered until it ends. One is made at a time,
 * however many logins ask; where an assumed role is asked of AWS, that happens ahead of need.
 */
export class IamLogins implements CloudLogins {
  readonly #options: IamLoginsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<Entry>>()

  constructor(options: IamLoginsOptions) {
    this.#options = options
  }

  /**
   * @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT when no region is known; SECRET_SOURCE_REFUSED where the operator does
   *   not let this node's own identity log in
   */
  async logIn(route: DataSourceRoute, secrets: DataSourceSecrets): Promise<CloudLogin> {
    const login = rdsLoginOf(route, secrets.awsCredentials)
    const { credentials, roleArn } = login.identity
    if (credentials === undefined && roleArn === undefined) requireAmbientIamHost(login.host, this.#options.policy)
    const key = digest([login.host, login.port, login.username, login.region, login.identity])
    const known = this.#entries.get(key)
    const leftMs = known === undefined ? 0 : known.usableUntil - this.#options.clock.now().getTime()
    if (known === undefined || leftMs <= 0) {
      return this.#login(key, login, await this.#makeOnce(key, login), 'fetched')
    }
    // Whoever needs the next one is told why there is none.
    if (leftMs <= AHEAD_MS) this.#makeOnce(key, login).catch(() => undefined)
    return this.#login(key, login, known, 'cached')
  }

  #login(key: string, { host, username }: RdsLogin, entry: Entry, origin: CloudLogin['origin']): CloudLogin {
    return {
      token: entry.token,
      origin,
      description: `AWS IAM token for ${username} at ${host}, region ${entry.region}`,
      refusalHint: `Check that IAM authentication is enabled, that the user ${username} was made for it (PostgreSQL: GRANT rds_iam; MySQL: AWSAuthenticationPlugin), and that the policy of the AWS identity allows rds-db:connect to this database and user.`,
      reject: () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key)
      },
    }
  }

  async #makeOnce(key: string, login: RdsLogin): Promise<Entry> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const made = this.#make(login)
      .then((entry) => {
        this.#remember(key, entry)
        return entry
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, made)
    return made
  }

  async #make(login: RdsLogin): Promise<Entry> {
    const { dialer, policy, clock, timeoutMs } = this.#options
    const signal = AbortSignal.timeout(timeoutMs)
    const now = () => clock.now()
    const startedAt = now().getTime()
    const context: FetchContext = { http: dialledSecretHttp(dialer), dialer, policy, signal, now }
    try {
      const { token, region, usableMs } = await rdsAuthToken(login, context)
      return { token, region, usableUntil: startedAt + usableMs }
    } catch (thrown) {
      if (thrown instanceof PosternError || !signal.aborted) throw thrown
      throw new PosternError('SECRET_SOURCE_UNAVAILABLE', `AWS did not answer within ${timeoutMs} ms`, {
        cause: thrown,
      })
    }
  }

  #remember(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest)
  }
}

function rdsLoginOf({ host, port, username, fields }: DataSourceRoute, given: Secret | undefined): RdsLogin {
  return {
    host: host.toLowerCase().replace(/\.$/, ''),
    port,
    username,
    region: textOf(fields.awsRegion),
    identity: {
      credentials: given === undefined ? undefined : readCredentials(given),
      roleArn: textOf(fields.awsRoleArn),
      externalId: textOf(fields.awsExternalId),
    },
  }
}

function textOf(field: string | undefined): string | undefined {
  return field === '' ? undefined : field
}

function readCredentials(json: Secret): AwsCredentials {
  try {
    return AwsCredentials.parse(JSON.parse(json.reveal()))
  } catch {
    // What the parsers say may quote the text.
    throw new PosternError('SECRET_SOURCE_INVALID', 'awsCredentials holds no access key of AWS', {
      hint: 'It must be JSON with accessKeyId, secretAccessKey and, of temporary keys, sessionToken.',
    })
  }
}

/** Keeps access keys out of the map's keys. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
