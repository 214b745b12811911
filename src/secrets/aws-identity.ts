import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { PosternError } from '../base/errors.ts'
import type { AwsCredentials } from '../contract/secret-references.ts'
import { awsRequestHandler } from './aws-http.ts'
import { requireAmbientRole } from './operator-policy.ts'
import type { FetchContext } from './secret-source.ts'

/** Whose permissions are used at AWS. */
export interface AwsIdentity {
  /** Absent: what this node is trusted with (`AWS_*` variables, profile, role of the machine). */
  readonly credentials?: AwsCredentials | undefined
  /** Role to assume with them. */
  readonly roleArn?: string | undefined
  readonly externalId?: string | undefined
}

/** Keys as the SDK takes them. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

const SESSION_SECONDS = 3_600

/**
 * The keys of an identity, the role assumed where one is named. Nothing is remembered here.
 * @throws PosternError SECRET_SOURCE_REFUSED for a role that the operator does not let this node's own identity assume |
 *   SECRET_SOURCE_DENIED | SECRET_SOURCE_UNAVAILABLE
 */
export async function awsKeys(identity: AwsIdentity, region: string, context: FetchContext): Promise<AwsKeys> {
  const { credentials, roleArn, externalId } = identity
  if (credentials === undefined && roleArn !== undefined) requireAmbientRole(roleArn, context.policy)
  const own = credentials === undefined ? await ambientKeys() : toKeys(credentials)
  if (roleArn === undefined) return own
  try {
    return await fromTemporaryCredentials({
      masterCredentials: own,
      params: {
        RoleArn: roleArn,
        RoleSessionName: 'postern',
        DurationSeconds: SESSION_SECONDS,
        ...(externalId !== undefined && { ExternalId: externalId }),
      },
      clientConfig: { region, requestHandler: awsRequestHandler(context), maxAttempts: 1 },
    })()
  } catch (thrown) {
    throw awsFailure(thrown, 'sts:AssumeRole', roleArn)
  }
}

/** Region of an identity where neither the reference nor the destination names one. */
export function ambientRegion(context: FetchContext): string | undefined {
  const { environment } = context.policy
  return environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
}

async function ambientKeys(): Promise<AwsKeys> {
  try {
    return await fromNodeProviderChain({ timeout: 2_000, maxRetries: 0 })()
  } catch (cause) {
    throw new PosternError('SECRET_SOURCE_DENIED', 'this node has no AWS identity', {
      cause,
      hint: 'Start Postern with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or on a machine with a role; or give credentials.',
    })
  }
}

function toKeys({ accessKeyId, secretAccessKey, sessionToken }: AwsCredentials): AwsKeys {
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
}

const DENIED = new Set(['AccessDenied', 'AccessDeniedException'])
const BAD_KEYS = new Set([
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'InvalidClientTokenId',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'MissingAuthenticationToken',
])

/** What an AWS service answered, by its error code: which action on what is missing, or that it cannot answer now. */
export function awsFailure(thrown: unknown, action: string, target: string): PosternError {
  if (thrown instanceof PosternError) return thrown
  const name = thrown instanceof Error ? thrown.name : ''
  if (DENIED.has(name)) {
    return new PosternError('SECRET_SOURCE_DENIED', `AWS denies ${action} on ${target}`, {
      cause: thrown,
      hint: `Attach to the identity a policy that allows ${action} on this resource.`,
    })
  }
  if (BAD_KEYS.has(name)) {
    return new PosternError('SECRET_SOURCE_DENIED', `AWS does not accept the access key (${name})`, {
      cause: thrown,
      hint: 'Check access key id, secret access key and session token, and the clock of this machine.',
    })
  }
  return new PosternError(
    'SECRET_SOURCE_UNAVAILABLE',
    `AWS did not answer ${action}${name === '' ? '' : ` (${name})`}`,
    {
      cause: thrown,
    },
  )
}
