import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { AwsSecretReference } from '../contract/secret-references.ts'
import { awsRequestHandler } from './aws-http.ts'
import { ambientRegion, awsFailure, awsKeys } from './aws-identity.ts'
import { refuseForeignEndpoint, requireAmbientSecret, requireStoreOrigin } from './operator-policy.ts'
import { invalidAnswer, isObject, stringsOf } from './secret-json.ts'
import type { FetchContext, SecretDocument, SecretSource } from './secret-source.ts'

const SERVICE = 'AWS Secrets Manager'

/**
 * AWS Secrets Manager, GetSecretValue
 * (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html). With a key the secret is a JSON
 * object; without one it is plain text.
 */
export const awsSecretsManagerSource: SecretSource<AwsSecretReference> = {
  documentOf: ({ key, ...document }) => [document, key === undefined ? 'text' : 'object'],
  keyOf: ({ key }) => key ?? '',
  hostOf: ({ region, endpoint }) =>
    endpoint === undefined ? `secretsmanager.${region ?? '(AWS_REGION)'}.amazonaws.com` : new URL(endpoint).host,
  async fetch(reference, context): Promise<SecretDocument> {
    const { name, key, versionStage } = reference
    if (reference.credentials === undefined) {
      requireAmbientSecret(name, context.policy)
      refuseForeignEndpoint(reference.endpoint)
    }
    const text = await readText(reference, context)
    if (key === undefined) return { ...text, values: new Map([['', new Secret(text.value)]]) }
    return { ...text, values: stringsOf(parseJson(text.value, name, versionStage)) }
  },
}

async function readText(reference: AwsSecretReference, context: FetchContext) {
  const { name, versionStage, endpoint } = reference
  const region = regionOf(reference, context)
  if (endpoint !== undefined) requireStoreOrigin(new URL(endpoint), context.policy)
  const client = new SecretsManagerClient({
    region,
    credentials: await awsKeys(reference, region, context),
    requestHandler: awsRequestHandler(context),
    // The resolver has its own deadline and remembers; a second attempt would only use up the first one's time.
    maxAttempts: 1,
    ...(endpoint !== undefined && { endpoint }),
  })
  try {
    const answer = await client.send(new GetSecretValueCommand({ SecretId: name, VersionStage: versionStage }))
    if (answer.SecretString === undefined || answer.SecretString === '') {
      throw invalidAnswer(SERVICE, `the secret ${name} holds no text`)
    }
    return { value: answer.SecretString, version: answer.VersionId ?? null, leaseMs: null }
  } catch (thrown) {
    throw failure(thrown, name)
  } finally {
    client.destroy()
  }
}

function regionOf({ name, region }: AwsSecretReference, context: FetchContext): string {
  const ofArn = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):/.exec(name)?.[1]
  const found = region ?? ofArn ?? ambientRegion(context)
  if (found !== undefined) return found
  throw new PosternError('SECRET_SOURCE_INVALID', `no region is known for the secret ${name}`, {
    hint: 'Give the region, the ARN of the secret, or start Postern with AWS_REGION.',
  })
}

function parseJson(text: string, name: string, stage: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // Said below, without quoting what was read.
  }
  throw new PosternError(
    'SECRET_SOURCE_INVALID',
    `the secret ${name} (${stage}) is not a JSON object, so it has no keys`,
    {
      hint: 'Leave the key out to use the whole text.',
    },
  )
}

function failure(thrown: unknown, name: string): PosternError {
  const code = thrown instanceof Error ? thrown.name : ''
  if (code === 'ResourceNotFoundException') {
    return new PosternError(
      'SECRET_SOURCE_NOT_FOUND',
      `${SERVICE} has no secret ${name} of this stage in this region`,
      {
        cause: thrown,
      },
    )
  }
  if (code === 'InvalidRequestException') {
    return new PosternError('SECRET_SOURCE_NOT_FOUND', `the secret ${name} is marked for deletion`, { cause: thrown })
  }
  if (code === 'DecryptionFailure') {
    return new PosternError('SECRET_SOURCE_DENIED', `AWS denies kms:Decrypt on the key of the secret ${name}`, {
      cause: thrown,
      hint: 'Allow kms:Decrypt on that key.',
    })
  }
  return awsFailure(thrown, 'secretsmanager:GetSecretValue', name)
}
