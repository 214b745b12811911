import { Signer } from '@aws-sdk/rds-signer'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { ambientRegion, awsKeys, type AwsIdentity } from './aws-identity.ts'
import type { FetchContext } from './secret-source.ts'

export interface RdsLogin {
  /** Endpoint of the instance or cluster, as the certificate of the database names it: it is part of what is signed. */
  readonly host: string
  readonly port: number
  readonly username: string
  /** Absent: that of the endpoint's name, else AWS_REGION. */
  readonly region?: string | undefined
  readonly identity: AwsIdentity
}

/** RDS takes a token for a new login up to 15 minutes after it was signed; a little is kept for the way. */
const USABLE_MS = 14 * 60_000

/**
 * A password that RDS and Aurora take from the IAM identity `rds-db:connect` is allowed to
 * (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html). It is signed here: AWS is asked for nothing
 * but the keys.
 *
 * @throws PosternError SECRET_SOURCE_* for the keys | INVALID_ARGUMENT when no region is known
 */
export async function rdsAuthToken(
  login: RdsLogin,
  context: FetchContext,
): Promise<{ readonly token: Secret; readonly region: string; readonly usableMs: number }> {
  const region = regionOf(login, context)
  const keys = await awsKeys(login.identity, region, context)
  const signer = new Signer({
    hostname: login.host,
    port: login.port,
    username: login.username,
    region,
    credentials: keys,
  })
  const token = new Secret(await signer.getAuthToken())
  const keysLeftMs = keys.expiration === undefined ? USABLE_MS : keys.expiration.getTime() - context.now().getTime()
  return { token, region, usableMs: Math.max(0, Math.min(USABLE_MS, keysLeftMs - 60_000)) }
}

/** `db.abc123.eu-central-1.rds.amazonaws.com`, also of clusters, proxies and of China's partition. */
export function regionOfRdsEndpoint(host: string): string | undefined {
  return /\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?\.?$/i.exec(host)?.[1]?.toLowerCase()
}

function regionOf({ region, host }: RdsLogin, context: FetchContext): string {
  const found = region ?? regionOfRdsEndpoint(host) ?? ambientRegion(context)
  if (found !== undefined) return found
  throw new PosternError('INVALID_ARGUMENT', `the AWS region of ${host} is not known`, {
    hint: 'Give the region (awsRegion), use the endpoint name of RDS as the host, or start Postern with AWS_REGION.',
    detail: { field: 'awsRegion' },
  })
}
