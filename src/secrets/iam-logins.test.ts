import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeAws } from '../../test/support/fake-aws.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { IamLogins } from './iam-logins.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'

const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const HOST = 'orders.abc123.eu-central-1.rds.amazonaws.com'
const ROLE = 'arn:aws:iam::123456789012:role/rds-connect'
const MINUTE_MS = 60_000
const given = { awsCredentials: new Secret(JSON.stringify(KEY)) }

function route(change: Partial<DataSourceRoute> = {}): DataSourceRoute {
  return testRoute(5432, {
    host: HOST,
    username: 'bytebase',
    loginMethod: 'aws_iam',
    tlsMode: 'verify-full',
    ...change,
  })
}

describe('a login with a token of AWS', () => {
  let aws: FakeAws
  let nowMs: number

  beforeEach(async () => {
    aws = new FakeAws()
    vi.stubEnv('AWS_ENDPOINT_URL_STS', await aws.start())
    vi.stubEnv('AWS_ACCESS_KEY_ID', KEY.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', KEY.secretAccessKey)
    aws.keys.set(KEY.accessKeyId, { ...KEY, allowed: [] })
    aws.roles.set(ROLE, { trusts: [KEY.accessKeyId], externalId: 'postern', allowed: [] })
    nowMs = Date.now()
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await aws.stop()
  })

  function logins(policy: Partial<OperatorPolicy> = {}): IamLogins {
    const clock = { now: () => new Date(nowMs) }
    return new IamLogins({ dialer: testDialer(), policy: { ...CLOSED_POLICY, ...policy }, clock, timeoutMs: 5_000 })
  }
  const assumed = { fields: { awsRoleArn: ROLE, awsExternalId: 'postern' } }

  it('is for the user at the database itself, whatever SSH servers lead there, and says so', async () => {
    const hop = { host: 'bastion.test', port: 22, username: 'jump', auth: 'password' as const, hostKey: null }
    const { token, description } = await logins().logIn(route({ host: `${HOST.toUpperCase()}.`, ssh: [hop] }), given)
    expect(token.reveal()).toMatch(new RegExp(`^${HOST.replaceAll('.', '\\.')}:5432/\\?.*DBUser=bytebase&`))
    expect(description).toBe(`AWS IAM token for bytebase at ${HOST}, region eu-central-1`)
  })

  it('is remembered, and made anew ahead of its end without a login that waits', async () => {
    const iam = logins()
    const logIn = async () => {
      const { origin, token } = await iam.logIn(route(assumed), given)
      return { origin, token: token.reveal() }
    }
    const first = await logIn()
    expect(first.origin).toBe('fetched')
    nowMs += 10 * MINUTE_MS
    expect(await logIn()).toEqual({ origin: 'cached', token: first.token })
    expect(aws.requests).toHaveLength(1)
    nowMs += 2 * MINUTE_MS
    expect(await logIn()).toEqual({ origin: 'cached', token: first.token })
    await vi.waitFor(() => expect(aws.requests).toHaveLength(2))
    await vi.waitFor(async () => expect((await logIn()).token).not.toBe(first.token))
    expect((await logIn()).origin).toBe('cached')
    expect(aws.requests).toHaveLength(2)
  })

  it('goes on with the token that is left while AWS is silent, and then says why there is none', async () => {
    const iam = logins()
    const { token } = await iam.logIn(route(assumed), given)
    aws.failWith = { status: 500, code: 'InternalFailure' }
    nowMs += 13 * MINUTE_MS
    expect((await iam.logIn(route(assumed), given)).token.reveal()).toBe(token.reveal())
    nowMs += 2 * MINUTE_MS
    await expect(iam.logIn(route(assumed), given)).rejects.toMatchObject({ code: 'SECRET_SOURCE_UNAVAILABLE' })
  })

  it('asks AWS once for many logins at the same time, and again after a database refused the token', async () => {
    const iam = logins()
    const all = await Promise.all(Array.from({ length: 20 }, () => iam.logIn(route(assumed), given)))
    expect(aws.requests).toHaveLength(1)
    for (const { reject } of all) reject()
    expect((await iam.logIn(route(assumed), given)).origin).toBe('fetched')
    all[0]?.reject()
    expect((await iam.logIn(route(assumed), given)).origin).toBe('cached')
  })

  it.each<[string, Partial<DataSourceRoute>, typeof given]>([
    ['user', { username: 'other' }, given],
    ['port', { port: 5433 }, given],
    ['region', { fields: { awsRegion: 'us-east-1' } }, given],
    ['key', {}, { awsCredentials: new Secret(JSON.stringify({ ...KEY, secretAccessKey: 'another' })) }],
  ])('is not shared with another %s', async (_, change, secrets) => {
    const iam = logins()
    const first = await iam.logIn(route(), given)
    const second = await iam.logIn(route(change), secrets)
    expect(second.origin).toBe('fetched')
    expect(second.token.reveal()).not.toBe(first.token.reveal())
  })

  it.each<[string, Partial<OperatorPolicy>, Partial<DataSourceRoute>]>([
    ['at a host that is not listed', { ambientIamHosts: ['other.eu-central-1.rds.amazonaws.com'] }, {}],
    ['at a host when none is listed', {}, {}],
    ['as a role that is not listed', { ambientIamHosts: ['*'], ambientRoleArns: [`${ROLE}-2`] }, assumed],
  ])('is not made of the identity of this node %s', async (_, policy, change) => {
    await expect(logins(policy).logIn(route(change), {})).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
    expect(aws.requests).toEqual([])
  })

  it.each<[string, Partial<OperatorPolicy>, Partial<DataSourceRoute>]>([
    ['at a host that is listed', { ambientIamHosts: ['*.eu-central-1.RDS.amazonaws.com'] }, {}],
    ['as a role that is listed', { ambientRoleArns: [ROLE] }, assumed],
  ])('is made of the identity of this node %s', async (_, policy, change) => {
    const { token } = await logins(policy).logIn(route(change), {})
    expect(token.reveal()).toContain('X-Amz-Signature=')
  })

  it.each(['text', '{}', '{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}'])(
    'says what an access key looks like, and shows nothing of %j',
    async (text) => {
      const thrown = await logins()
        .logIn(route(), { awsCredentials: new Secret(text) })
        .catch((error: unknown) => error)
      expect(thrown).toMatchObject({ code: 'SECRET_SOURCE_INVALID', message: expect.not.stringContaining(text) })
    },
  )
})
