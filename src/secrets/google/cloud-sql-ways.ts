import { createHash, generateKeyPair, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '../../base/clock.ts'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { CloudSqlIpType, CloudSqlName } from '../../contract/cloud-sql-name.ts'
import type { CloudWay } from '../../dialer/cloud-logins.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import { AheadOfNeed } from '../ahead-of-need.ts'
import { textOf } from '../cloud-identity.ts'
import type { OperatorPolicy } from '../operator-policy.ts'
import { invalidAnswer } from '../secret-json.ts'
import type { FetchContext } from '../secret-source.ts'
import { cloudSqlAdmin, type ConnectSettings } from './cloud-sql-admin.ts'
import { cloudSqlInstance } from './cloud-sql-identity.ts'

/** Of the server side of every instance: mutual TLS at once, and inside it the protocol of the database. */
const PORT = 3307
/** Certificates last an hour; the next one is asked for this long before. */
const AHEAD_MS = 4 * 60_000
const MARGIN_MS = 60_000
/** A way that leads nowhere is not asked for more often than this: an instance that is down would cost a call for each attempt. */
const REJECTED_AFTER_MS = 30_000

interface MadeWay {
  readonly way: Omit<CloudWay, 'reject'>
  readonly usableMs: number
  readonly madeAtMs: number
}

interface KeyPair {
  readonly publicKey: string
  readonly privateKey: Secret
}

/** Runs what asks the cloud, bounded in time. */
type InTime = <T>(ask: (context: FetchContext) => Promise<T>) => Promise<T>

/**
 * Ways to Cloud SQL instances, as Google's connectors find them: address and authority of the instance, and a client certificate
 * for a key that never leaves this process. All of it remembered until the certificate ends (docs/design/0019-cloud-sql.md).
 */
export class CloudSqlWays {
  readonly #clock: Clock
  readonly #ways: AheadOfNeed<MadeWay>
  #keys: Promise<KeyPair> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#ways = new AheadOfNeed(clock, AHEAD_MS)
  }

  /** @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT for an address that the instance does not have */
  async find(
    route: DataSourceRoute,
    { serviceAccount, password: loginToken }: DataSourceSecrets,
    policy: OperatorPolicy,
    inTime: InTime,
  ): Promise<CloudWay> {
    const instance = cloudSqlInstance(route, serviceAccount !== undefined, policy)
    const ipType = (textOf(route.fields.cloudSqlIpType) ?? 'public') as CloudSqlIpType
    const key = digest([instance, ipType, route.engine, serviceAccount?.reveal(), loginToken?.reveal()])
    const { value, forget } = await this.#ways.get(key, () =>
      inTime(async (context) => {
        const admin = await cloudSqlAdmin(instance, serviceAccount, context)
        const { publicKey, privateKey } = await this.#keyPair()
        const [settings, certificatePem] = await Promise.all([
          admin.connectSettings(),
          admin.generateEphemeralCert(publicKey, loginToken),
        ])
        requireSame(route, instance, settings)
        const host = addressOf(settings, ipType, route.host)
        const madeAtMs = this.#clock.now().getTime()
        const way = { host, port: PORT, ...tlsOf(settings, instance, certificatePem, privateKey) }
        return { way, madeAtMs, usableMs: Math.max(0, endOf(certificatePem) - Date.now() - MARGIN_MS) }
      }),
    )
    const reject = (): void => {
      if (this.#clock.now().getTime() - value.madeAtMs >= REJECTED_AFTER_MS) forget()
    }
    return { ...value.way, reject }
  }

  /** One for the life of the process: making an RSA key, the only kind that the API is documented to take, costs. */
  #keyPair(): Promise<KeyPair> {
    this.#keys ??= promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).then(({ publicKey, privateKey }) => ({ publicKey, privateKey: new Secret(privateKey) }))
    return this.#keys
  }
}

/** The connection name is more than the address of the API: it says what the caller believes to reach. */
function requireSame({ host, engine }: DataSourceRoute, { region }: CloudSqlName, settings: ConnectSettings): void {
  if (settings.region !== region) {
    throw new PosternError('INVALID_ARGUMENT', `the Cloud SQL instance ${host} is in the region ${settings.region}`, {
      hint: 'Take the connection name from the overview page of the instance.',
      detail: { field: 'host' },
    })
  }
  const family = /^(POSTGRES|MYSQL|SQLSERVER)/.exec(settings.databaseVersion)?.[1]?.toLowerCase() ?? engine
  if (family !== engine) {
    throw new PosternError('INVALID_ARGUMENT', `the Cloud SQL instance ${host} is ${settings.databaseVersion}`, {
      hint: 'Choose the engine that the instance runs.',
      detail: { field: 'engine' },
    })
  }
}

function addressOf({ addresses }: ConnectSettings, ipType: CloudSqlIpType, host: string): string {
  const address = addresses[ipType]
  if (address !== undefined) return address
  const known = Object.keys(addresses)
  throw new PosternError('INVALID_ARGUMENT', `the Cloud SQL instance ${host} has no ${ipType} address`, {
    hint: known.length === 0 ? 'It has none at all.' : `Set cloudSqlIpType to ${known.join(' or ')}.`,
    detail: { field: 'cloudSqlIpType' },
  })
}

/**
 * The authority of an instance that signs for it alone vouches for it by the common name; one that is shared with others, by a DNS
 * name. TLS 1.3, since before it the certificate and the token in it would go over the wire in the clear.
 */
function tlsOf(
  { serverCaPem, dnsName, hasOwnAuthority }: ConnectSettings,
  { projectId, instanceId }: CloudSqlName,
  certificatePem: string,
  privateKey: Secret,
): Pick<CloudWay, 'tls' | 'commonName'> {
  const shared = { caPem: serverCaPem, certificatePem, privateKey, minVersion: 'TLSv1.3' } as const
  if (hasOwnAuthority || dnsName === undefined) {
    return { tls: { ...shared, serverName: undefined, verify: 'chain' }, commonName: `${projectId}:${instanceId}` }
  }
  return { tls: { ...shared, serverName: dnsName, verify: 'full' }, commonName: undefined }
}

function endOf(certificatePem: string): number {
  try {
    return new Date(new X509Certificate(certificatePem).validTo).getTime()
  } catch {
    throw invalidAnswer('Cloud SQL Admin API', 'the client certificate cannot be read')
  }
}

/** Keeps keys and tokens out of the map's keys. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
