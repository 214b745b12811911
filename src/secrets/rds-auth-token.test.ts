import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeAws } from '../../test/support/fake-aws.ts'
import { signatureV4 } from '../../test/support/sigv4.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { dialledSecretHttp } from './dialled-secret-http.ts'
import { CLOSED_POLICY } from './operator-policy.ts'
import { rdsAuthToken, regionOfRdsEndpoint, type RdsLogin } from './rds-auth-token.ts'
import type { FetchContext } from './secret-source.ts'

const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const HOST = 'orders.abc123.eu-central-1.rds.amazonaws.com'
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function context(environment: Record<string, string> = {}): FetchContext {
  return {
    http: dialledSecretHttp(testDialer()),
    dialer: testDialer(),
    policy: { ...CLOSED_POLICY, environment },
    signal: AbortSignal.timeout(5_000),
    now: () => new Date(),
  }
}

function login(change: Partial<RdsLogin> = {}): RdsLogin {
  return { host: HOST, port: 5432, username: 'bytebase', identity: { credentials: KEY }, ...change }
}

/** What AWS would compute for the same request: GET /?Action=connect&DBUser=…, service rds-db, 900 seconds. */
function independentToken(
  { host, port, username }: RdsLogin,
  keys: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
  at: Date,
  region: string,
): string {
  const amzDate = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const query = [
    ['Action', 'connect'],
    ['DBUser', username],
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${keys.accessKeyId}/${amzDate.slice(0, 8)}/${region}/rds-db/aws4_request`],
    ['X-Amz-Date', amzDate],
    ['X-Amz-Expires', '900'],
    ...(keys.sessionToken === undefined ? [] : [['X-Amz-Security-Token', keys.sessionToken]]),
    ['X-Amz-SignedHeaders', 'host'],
  ]
  const target = `/?${query.map(([name = '', value = '']) => `${name}=${encodeURIComponent(value)}`).join('&')}`
  const signature = signatureV4(
    { method: 'GET', target, headers: { host: `${host}:${port}` }, body: '' },
    {
      secretAccessKey: keys.secretAccessKey,
      amzDate,
      region,
      service: 'rds-db',
      signedHeaders: ['host'],
      payloadHash: EMPTY_SHA256,
    },
  )
  return `${host}:${port}${target}&X-Amz-Signature=${signature}`
}

function sortedParts(token: string): string[] {
  const [host = '', query = ''] = token.split('/?')
  return [host, ...query.split('&').toSorted()]
}

describe('a token for RDS', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each([
    ['PostgreSQL', {}],
    ['MySQL', { port: 3306 }],
    ['a user whose name needs encoding', { username: 'ana+ops@corp.test' }],
  ])('is what AWS computes, byte for byte, under a still clock: %s', async (_, change) => {
    const at = new Date('2026-11-23T08:00:00Z')
    vi.useFakeTimers({ now: at, toFake: ['Date'] })
    const wanted = login(change)
    const { token } = await rdsAuthToken(wanted, context())
    expect(sortedParts(token.reveal())).toEqual(sortedParts(independentToken(wanted, KEY, at, 'eu-central-1')))
  })

  it('carries the session token of temporary keys, signed', async () => {
    const at = new Date('2026-11-23T08:00:00Z')
    vi.useFakeTimers({ now: at, toFake: ['Date'] })
    const keys = { ...KEY, sessionToken: 'a/session+token=' }
    const wanted = login({ identity: { credentials: keys } })
    const { token } = await rdsAuthToken(wanted, context())
    expect(sortedParts(token.reveal())).toEqual(sortedParts(independentToken(wanted, keys, at, 'eu-central-1')))
  })

  it('takes the region that is given, else that of the endpoint, else AWS_REGION, else says what is missing', async () => {
    const regionIn = async (change: Partial<RdsLogin>, environment = {}) => {
      const { token } = await rdsAuthToken(login(change), context(environment))
      return /%2F\d{8}%2F([a-z0-9-]+)%2Frds-db/.exec(token.reveal())?.[1]
    }
    expect(await regionIn({ region: 'us-west-2' })).toBe('us-west-2')
    expect(await regionIn({})).toBe('eu-central-1')
    expect(await regionIn({ host: 'db.corp.test' }, { AWS_REGION: 'eu-north-1' })).toBe('eu-north-1')
    await expect(regionIn({ host: 'db.corp.test' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it.each([
    ['orders.abc123.us-gov-west-1.rds.amazonaws.com', 'us-gov-west-1'],
    ['x.cluster-ro-abc.ap-southeast-2.rds.amazonaws.com.', 'ap-southeast-2'],
    ['x.proxy-abc.cn-north-1.rds.amazonaws.com.cn', 'cn-north-1'],
    ['eu-west-1.rds.amazonaws.com.evil.test', undefined],
  ])('reads the region of %s', (host, region) => {
    expect(regionOfRdsEndpoint(host)).toBe(region)
  })
})

describe('an assumed role', () => {
  const role = 'arn:aws:iam::123456789012:role/rds-connect'
  let aws: FakeAws

  beforeEach(async () => {
    aws = new FakeAws()
    vi.stubEnv('AWS_ENDPOINT_URL_STS', await aws.start())
    aws.keys.set(KEY.accessKeyId, { ...KEY, allowed: [] })
    aws.roles.set(role, { trusts: [KEY.accessKeyId], externalId: 'postern', allowed: [] })
  })

  afterEach(async () => {
    vi.unstubAllEnvs()
    await aws.stop()
  })

  it('signs with the keys that AWS lends for the role and external id', async () => {
    const identity = { credentials: KEY, roleArn: role, externalId: 'postern' }
    const { token, usableMs } = await rdsAuthToken(login({ identity }), context())
    expect(token.reveal()).toContain('X-Amz-Credential=ASIA')
    expect(token.reveal()).toContain('X-Amz-Security-Token=session-of-ASIA')
    expect(usableMs).toBe(14 * 60_000)
  })

  it('says which role may not be assumed', async () => {
    const identity = { credentials: KEY, roleArn: role, externalId: 'somebody else' }
    await expect(rdsAuthToken(login({ identity }), context())).rejects.toMatchObject({
      code: 'SECRET_SOURCE_DENIED',
      message: `AWS denies sts:AssumeRole on ${role}`,
    })
  })
})
