import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  type CreateSecretCommandOutput,
} from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { AwsSecretReference } from '../../src/contract/secret-references.ts'
import { IamLogins } from '../../src/secrets/iam-logins.ts'
import { CLOSED_POLICY } from '../../src/secrets/operator-policy.ts'
import { SecretResolver } from '../../src/secrets/secret-resolver.ts'
import { freePort } from '../support/free-port.ts'
import { describeWith, requireTool } from '../support/requirements.ts'
import { testDialer } from '../support/test-dialer.ts'
import { testRoute } from '../support/test-route.ts'

const START_LIMIT_MS = 30_000
const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const region = 'eu-central-1'
const ROLE = 'arn:aws:iam::123456789012:role/postern-reader'

/** Our way to AWS against the mock server that others test with: it is not ours, so it does not share our mistakes. */
describeWith(['moto_server'], 'AWS as its public mock server has it', () => {
  let server: ChildProcess
  let endpoint: string
  let stored: CreateSecretCommandOutput
  const options = {
    dialer: testDialer(),
    policy: CLOSED_POLICY,
    clock: { now: () => new Date() },
    timeoutMs: 5_000,
  }
  const resolver = () => new SecretResolver({ ...options, ttlMs: 60_000, staleMs: 600_000 })
  const reference = (change: object = {}) =>
    AwsSecretReference.parse({
      source: 'aws_secrets_manager',
      name: 'bytebase',
      key: 'DB_PASSWORD',
      region,
      credentials,
      endpoint,
      ...change,
    })

  beforeAll(async () => {
    const port = await freePort()
    endpoint = `http://127.0.0.1:${port}`
    server = spawn(requireTool('moto_server'), ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
    const client = new SecretsManagerClient({ region, endpoint, credentials: { ...credentials } })
    const deadlineAt = performance.now() + START_LIMIT_MS
    for (;;) {
      try {
        const SecretString = JSON.stringify({ DB_PASSWORD: 'the first one' })
        stored = await client.send(new CreateSecretCommand({ Name: 'bytebase', SecretString }))
        break
      } catch (error) {
        if (server.exitCode !== null || performance.now() > deadlineAt) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    const SecretString = JSON.stringify({ DB_PASSWORD: 'the second one' })
    await client.send(new PutSecretValueCommand({ SecretId: 'bytebase', SecretString }))
    await client.send(new CreateSecretCommand({ Name: 'plain', SecretString: 'just text' }))
    client.destroy()
    vi.stubEnv('AWS_ENDPOINT_URL_STS', endpoint)
  }, 60_000)
  afterAll(async () => {
    vi.unstubAllEnvs()
    if (server === undefined || server.exitCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  })

  test('gives the key of a secret by name and by ARN, of each stage, and plain text', async () => {
    const read = async (change: object = {}) => (await resolver().resolveReference(reference(change))).value.reveal()
    expect(await read()).toBe('the second one')
    expect(await read({ name: stored.ARN })).toBe('the second one')
    expect(await read({ versionStage: 'AWSPREVIOUS' })).toBe('the first one')
    expect(await read({ name: 'plain', key: undefined })).toBe('just text')
  })

  test('gives it to an assumed role too', async () => {
    expect((await resolver().resolveReference(reference({ roleArn: ROLE }))).value.reveal()).toBe('the second one')
  })

  test('has no secret of another name, nor another key in it', async () => {
    await expect(resolver().resolveReference(reference({ name: 'other' }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
    })
    await expect(resolver().resolveReference(reference({ key: 'USER' }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
      hint: 'It has: DB_PASSWORD',
    })
  })

  test('gives a role the keys that a token for RDS is signed with', async () => {
    const route = testRoute(5432, {
      host: 'orders.abc123.eu-central-1.rds.amazonaws.com',
      loginMethod: 'aws_iam',
      tlsMode: 'verify-full',
      fields: { awsRoleArn: ROLE },
    })
    const awsCredentials = new Secret(JSON.stringify(credentials))
    const { token } = await new IamLogins(options).logIn(route, { awsCredentials })
    const query = new URL(`https://${token.reveal()}`).searchParams
    // Keys of a role come with a session, which must be part of what is signed.
    expect(query.get('X-Amz-Credential')).not.toContain(credentials.accessKeyId)
    expect(query.get('X-Amz-Security-Token')).toBeTruthy()
  })
})
