import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeAws } from '../../test/support/fake-aws.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { AwsSecretReference } from '../contract/secret-references.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'
import { SecretResolver } from './secret-resolver.ts'

const ROLE = 'arn:aws:iam::123456789012:role/postern-reader'
const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:bytebase-AbCdEf'
const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }

let aws: FakeAws
let endpoint: string

beforeEach(async () => {
  aws = new FakeAws()
  endpoint = await aws.start()
  aws.keys.set(KEY.accessKeyId, { ...KEY, allowed: ['secretsmanager:GetSecretValue'] })
  aws.secrets.set('bytebase', {
    arn: ARN,
    stages: {
      AWSCURRENT: { versionId: 'v2', text: '{"DB_PASSWORD":"the password","port":5432}' },
      AWSPREVIOUS: { versionId: 'v1', text: '{"DB_PASSWORD":"the old one"}' },
    },
  })
  aws.secrets.set('plain', { arn: `${ARN}2`, stages: { AWSCURRENT: { versionId: 'v1', text: 'just text' } } })
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await aws.stop()
})

function resolver(policy: Partial<OperatorPolicy> = {}): SecretResolver {
  return new SecretResolver({
    dialer: testDialer(),
    policy: { ...CLOSED_POLICY, ...policy },
    clock: { now: () => new Date() },
    ttlMs: 60_000,
    staleMs: 600_000,
    timeoutMs: 2_000,
  })
}

function reference(change: object = {}) {
  return AwsSecretReference.parse({
    source: 'aws_secrets_manager',
    name: 'bytebase',
    key: 'DB_PASSWORD',
    region: 'eu-central-1',
    credentials: KEY,
    endpoint,
    ...change,
  })
}

describe('AWS Secrets Manager', () => {
  it('[D1-126] reads the key out of the JSON of the secret that was named', async () => {
    const found = await resolver().resolveReference(reference())
    expect(found.value.reveal()).toBe('the password')
    expect(found.version).toBe('v2')
  })

  it('takes the name as an ARN, whose region counts', async () => {
    const found = await resolver().resolveReference(reference({ name: ARN, region: undefined }))
    expect(found.value.reveal()).toBe('the password')
  })

  it('reads the whole text where no key is given, and another stage where one is', async () => {
    expect((await resolver().resolveReference(reference({ name: 'plain', key: undefined }))).value.reveal()).toBe(
      'just text',
    )
    expect((await resolver().resolveReference(reference({ versionStage: 'AWSPREVIOUS' }))).value.reveal()).toBe(
      'the old one',
    )
  })

  it.each([
    ['no such secret', { name: 'other' }, 'SECRET_SOURCE_NOT_FOUND'],
    ['no such stage', { versionStage: 'AWSPENDING' }, 'SECRET_SOURCE_NOT_FOUND'],
    ['no such key', { key: 'PASSWORD' }, 'SECRET_SOURCE_NOT_FOUND'],
    ['a number', { key: 'port' }, 'SECRET_SOURCE_NOT_FOUND'],
    ['a key of plain text', { name: 'plain' }, 'SECRET_SOURCE_INVALID'],
    ['a wrong secret key', { credentials: { ...KEY, secretAccessKey: 'wrong' } }, 'SECRET_SOURCE_DENIED'],
    ['an unknown key id', { credentials: { ...KEY, accessKeyId: 'AKIAXXXXXXXXXXXXXXXX' } }, 'SECRET_SOURCE_DENIED'],
    ['another region than the key signs for', { region: 'us-east-1' }, 'SECRET_SOURCE_DENIED'],
  ])('explains %s', async (_, change, code) => {
    await expect(resolver().resolveReference(reference(change))).rejects.toMatchObject({ code })
  })

  it('names the action that is denied', async () => {
    aws.keys.set(KEY.accessKeyId, { ...KEY, allowed: [] })
    await expect(resolver().resolveReference(reference())).rejects.toMatchObject({
      code: 'SECRET_SOURCE_DENIED',
      message: 'AWS denies secretsmanager:GetSecretValue on bytebase',
    })
  })

  it('says that a secret is marked for deletion', async () => {
    aws.secrets.set('gone', { arn: 'x', deleted: true, stages: {} })
    await expect(resolver().resolveReference(reference({ name: 'gone' }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
      message: expect.stringContaining('marked for deletion'),
    })
  })

  it('says that the service cannot answer now, after one attempt', async () => {
    aws.failWith = { status: 503, code: 'ServiceUnavailable' }
    await expect(resolver().resolveReference(reference())).rejects.toMatchObject({ code: 'SECRET_SOURCE_UNAVAILABLE' })
  })

  it('sends the session token of temporary keys', async () => {
    aws.keys.set('ASIATEMPORARY0000001', { ...KEY, sessionToken: 'token', allowed: ['GetSecretValue bytebase'] })
    const credentials = { ...KEY, accessKeyId: 'ASIATEMPORARY0000001', sessionToken: 'token' }
    expect((await resolver().resolveReference(reference({ credentials }))).value.reveal()).toBe('the password')
  })
})

describe("this node's own AWS identity", () => {
  it('reads no secret that the operator has not listed', async () => {
    const ambient = reference({ credentials: undefined })
    await expect(resolver().resolveReference(ambient)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      hint: expect.stringContaining('ambientSecretNames'),
    })
    await expect(resolver({ ambientSecretNames: ['team-*'] }).resolveReference(ambient)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
    })
    expect(aws.requests).toEqual([])
  })

  it('is not sent to an address that the reference names', async () => {
    const ambient = reference({ credentials: undefined })
    await expect(resolver({ ambientSecretNames: ['*'] }).resolveReference(ambient)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      message: expect.stringContaining('not sent to an address'),
    })
  })

  it('[D1-104] [D1-121] [D1-122] [D1-123] [D1-124] reads what the operator has listed, with the keys of the environment', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', endpoint)
    vi.stubEnv('AWS_ACCESS_KEY_ID', KEY.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', KEY.secretAccessKey)
    const policy = { ambientSecretNames: ['byte*'], environment: { AWS_REGION: 'eu-central-1' } }
    const ambient = reference({ credentials: undefined, endpoint: undefined, region: undefined })
    expect((await resolver(policy).resolveReference(ambient)).value.reveal()).toBe('the password')
  })

  it('reads it with the keys of the profile that the environment names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aws-profile-'))
    const file = join(folder, 'credentials')
    writeFileSync(
      file,
      `[postern]\naws_access_key_id = ${KEY.accessKeyId}\naws_secret_access_key = ${KEY.secretAccessKey}\n`,
    )
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', endpoint)
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file)
    vi.stubEnv('AWS_PROFILE', 'postern')
    const policy = { ambientSecretNames: ['byte*'], environment: { AWS_REGION: 'eu-central-1' } }
    const ambient = reference({ credentials: undefined, endpoint: undefined, region: undefined })
    expect((await resolver(policy).resolveReference(ambient)).value.reveal()).toBe('the password')
    rmSync(folder, { recursive: true })
  })

  it('assumes no role that the operator has not listed', async () => {
    const ambient = reference({ credentials: undefined, endpoint: undefined, roleArn: ROLE })
    await expect(resolver({ ambientSecretNames: ['*'] }).resolveReference(ambient)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      hint: expect.stringContaining('ambientRoleArns'),
    })
  })
})
