import { AwsCredentials, AwsExternalId, AwsRegion, AwsRoleArn } from '../contract/secret-references.ts'
import { isUnixRoute, mayCarryRecoverablePassword, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { invalidField } from './invalid-field.ts'

/** The part of {@link checkCapabilities} for logins with a token of AWS. */
export function checkRouteAwsIam(route: DataSourceRoute, secrets: DataSourceSecrets): void {
  const { awsRegion = '', awsRoleArn = '', awsExternalId = '' } = route.fields
  if (isUnixRoute(route)) throw invalidField('host', 'must be a host name: login method aws_iam needs TLS')
  if (!mayCarryRecoverablePassword(route)) {
    throw invalidField(
      'tlsMode',
      'must be verify-full, or verify-ca with tlsCa, with login method aws_iam: a token is only sent over verified TLS',
    )
  }
  if (awsRegion !== '' && !AwsRegion.safeParse(awsRegion).success) {
    throw invalidField('awsRegion', 'must be an AWS region such as us-east-1')
  }
  if (awsRoleArn !== '' && !AwsRoleArn.safeParse(awsRoleArn).success) {
    throw invalidField('awsRoleArn', 'must be the ARN of an IAM role')
  }
  if (awsExternalId !== '' && awsRoleArn === '') throw invalidField('awsExternalId', 'has no effect without awsRoleArn')
  if (awsExternalId !== '' && !AwsExternalId.safeParse(awsExternalId).success) {
    throw invalidField('awsExternalId', 'must be 2 to 1224 characters')
  }
  checkIdentity(route, secrets)
}

function checkIdentity(route: DataSourceRoute, { awsCredentials }: DataSourceSecrets): void {
  if (awsCredentials === undefined) {
    // Whoever enters an authority could take the place of the database, and be shown what this node's identity signs.
    if (route.tlsCa !== null) {
      throw invalidField(
        'tlsCa',
        'cannot be given where the AWS identity of this node logs in: RDS is known, and other authorities stand in tlsFiles.ca',
      )
    }
    return
  }
  // One that lives elsewhere is read when it is used.
  if (route.secretReferences.awsCredentials !== undefined) return
  if (!isCredentials(awsCredentials.reveal())) {
    throw invalidField('awsCredentials', 'must be JSON with accessKeyId, secretAccessKey and perhaps sessionToken')
  }
}

function isCredentials(text: string): boolean {
  try {
    return AwsCredentials.safeParse(JSON.parse(text)).success
  } catch {
    return false
  }
}
